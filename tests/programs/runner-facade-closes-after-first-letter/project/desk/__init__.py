from .facade import Desk

__all__ = ["Desk"]
