"""A network over one photograph of any size, in tiles that agree; it knows no folder."""

from typing import TYPE_CHECKING

from csbsr.lazy import by_name

if TYPE_CHECKING:
    from csbsr.predict.options import PredictionOptions
    from csbsr.predict.predictor import Prediction, Predictor

__all__ = ["Prediction", "PredictionOptions", "Predictor"]
__getattr__ = by_name(__name__, {"Prediction": "predictor", "PredictionOptions": "options", "Predictor": "predictor"})
