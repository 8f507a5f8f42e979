"""Teacher outputs, computed once per distinct input and kept on disk for all runs."""
