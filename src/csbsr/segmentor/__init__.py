"""Segmentors: a normalised image to a crack probability of the same size."""

from csbsr.segmentor.base import Segmentor
from csbsr.segmentor.crackformer import CrackFormer
from csbsr.segmentor.custom import Custom
from csbsr.segmentor.hrnet_ocr import HRNetOCR
from csbsr.segmentor.pspnet import PSPNet
from csbsr.segmentor.segnet import SegNet
from csbsr.segmentor.unet import UNet

__all__ = ["CrackFormer", "Custom", "HRNetOCR", "PSPNet", "SegNet", "Segmentor", "UNet"]
