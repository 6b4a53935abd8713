"""Reads photographs and crack masks: any common format, turned upright, without alpha and no-data, damage noticed."""

from csbsr.data.reading.files import any_size, at_most
from csbsr.data.reading.formats import PHOTOGRAPHS, SUFFIXES, UNREADABLE, is_junk, unreadable
from csbsr.data.reading.photographs import Photograph, eight_bit, filled, read_image, read_mask, read_photograph
from csbsr.data.reading.pixels import Decoded, decode
from csbsr.data.regular import check_regular

__all__ = [
    "PHOTOGRAPHS",
    "SUFFIXES",
    "UNREADABLE",
    "Decoded",
    "Photograph",
    "any_size",
    "at_most",
    "check_regular",
    "decode",
    "eight_bit",
    "filled",
    "is_junk",
    "read_image",
    "read_mask",
    "read_photograph",
    "unreadable",
]
