"""What does this message ask for?  Text in, `Detection` out.

    >>> from intents import detect
    >>> detect("please wipe everything you have on me").intents
    ('delete',)

The package is pure: it imports nothing of the application, opens no connection and writes no file.
"""

from __future__ import annotations

from intents.detect import clean, detect
from intents.detection import INTENTS, LANGUAGES, SIGNALS, Cleaned, Detection

__all__ = ["INTENTS", "LANGUAGES", "SIGNALS", "Cleaned", "Detection", "clean", "detect"]
