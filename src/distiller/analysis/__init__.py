"""What mattered: importance of choices, contrasts between them, and what each dataset likes, from run records alone."""

from distiller.analysis.analysis import Analysis, analyze

__all__ = ["Analysis", "analyze"]
