"""Expected failures.

    L2RError                what a user can mend; printed as one line, exit code 2
        TaskError           an unknown task or a faulty task file
        DatasetError        a pair list that cannot be used
        ImageError          an image or label file that cannot be used
        FieldError          a displacement field that the scorer would refuse
        TransformError      a spatial transform that cannot be read, written or applied
        SubmissionError     a folder or zip of fields that the scorer would refuse
        ConfigError         a run file or an argument that cannot be used
        WeightsError        a weights file that does not fit the network
        OutputError         a place that cannot be written to
        ScoringError        a scoring process that came to a sudden end
        ClusterError        workers of a cluster, or its scheduler, that are gone
        TrainingError       a training that cannot go on
        LeaderboardError    a database, a ranking rule or scores that a leaderboard cannot use
        ContainerError      a container engine or an image that cannot be used

Each message says where, what was found, what was expected and what to try. Anything that is not
an `L2RError` is a defect of Regatta and keeps its traceback.
"""


class L2RError(Exception):
    """A fault that a user can mend."""


class TaskError(L2RError):
    """An unknown task or a faulty task file."""


class DatasetError(L2RError):
    """A pair list that cannot be used."""


class ImageError(L2RError):
    """An image or label file that cannot be used."""


class FieldError(L2RError):
    """A displacement field that the scorer would refuse."""


class TransformError(L2RError):
    """A spatial transform that cannot be read, written or applied."""


class SubmissionError(L2RError):
    """A folder or zip of fields that the scorer would refuse."""


class ConfigError(L2RError):
    """A run file or an argument that cannot be used."""


class WeightsError(L2RError):
    """A weights file that does not fit the network."""


class OutputError(L2RError):
    """A place that cannot be written to."""


class ScoringError(L2RError):
    """A scoring process that came to a sudden end."""


class ClusterError(L2RError):
    """Workers of a cluster, or its scheduler, that are gone."""


class TrainingError(L2RError):
    """A training that cannot go on."""


class LeaderboardError(L2RError):
    """A database, a ranking rule or scores that a leaderboard cannot use."""


class ContainerError(L2RError):
    """A container engine or an image that cannot be used."""
