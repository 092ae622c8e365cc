"""From what was found on the disk to the pairs of a training."""

from dataclasses import replace

from l2r.errors import ConfigError
from models.training.augment import AugmentedPairs
from models.training.config import Images, TrainConfig
from models.training.dataset import Dataset
from models.training.mixture import Mixture
from models.training.sampling import PairPreprocessor, RandomPartners, ShuffledPairs
from models.training.synthesis.pairs import SyntheticPairs
from pipeline.train.data import TrainingData


def check_data(config: TrainConfig, data: TrainingData) -> None:
    """Refuse data that do not match a training file.

    Raises:
        ConfigError: it was not.
    """
    made = not isinstance(config.data, Images)
    real = isinstance(config.data, Images) or config.data.real > 0
    _check_given("--data", "pairs of real images", there=data.has_images, wanted=real)
    _check_given("--maps", "pairs from label maps", there=bool(data.maps), wanted=made)


def build_dataset(
    config: TrainConfig, data: TrainingData, preprocessor: PairPreprocessor
) -> Dataset:
    """Build the augmented data set of a training."""
    source = _plain(config, data, preprocessor)
    return AugmentedPairs(source, config.augment, shrink=config.shrink, seed=config.seed)


def _plain(config: TrainConfig, data: TrainingData, preprocessor: PairPreprocessor) -> Dataset:
    if isinstance(config.data, Images):
        return _real(config, data, preprocessor, both_orders=config.data.both_orders)
    made = SyntheticPairs(data.maps, preprocessor, config.data, seed=config.seed)
    if not data.has_images:
        return made
    own = replace(preprocessor, labels=preprocessor.labels and config.data.real_labels)
    real = _real(config, data, own, both_orders=False)
    return Mixture(real, made, config.data.real, config.batch)


def _real(
    config: TrainConfig, data: TrainingData, preprocessor: PairPreprocessor, *, both_orders: bool
) -> Dataset:
    """The pairs that the list names, or every image with a random other one."""
    if data.training_pairs:
        return ShuffledPairs(
            data.training_pairs, preprocessor, seed=config.seed, both_orders=both_orders
        )
    return RandomPartners(data.scans, preprocessor, seed=config.seed, both_orders=both_orders)


def _check_given(option: str, what: str, *, there: bool, wanted: bool) -> None:
    if wanted and not there:
        raise ConfigError(f"the training file asks for {what}; give {option}")
    if there and not wanted:
        raise ConfigError(f"the training file has no {what}; leave out {option}")
