from .facade import Desk, DeskShut

__all__ = ["Desk", "DeskShut"]
