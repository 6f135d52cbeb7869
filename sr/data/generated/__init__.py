"""Pictures made by formula, to train on when there are no photographs: dead leaves and line drawings."""

from sr.data.generated.dead_leaves import dead_leaves
from sr.data.generated.drawings import drawing
from sr.data.generated.pictures import GeneratedPictures

__all__ = ["GeneratedPictures", "dead_leaves", "drawing"]
