"""`python -m distiller`."""

from distiller.cli.main import main

if __name__ == "__main__":
    main()
