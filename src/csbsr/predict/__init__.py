"""Photographs in, results out: any file, any size, in tiles that agree, written whole or not at all."""

from csbsr.predict.predictor import Prediction, Predictor

__all__ = ["Prediction", "Predictor"]
