"""Row changes of PostgreSQL as Apache Arrow record batches."""

# pyarrow first: its libarrow is the one of this process.
try:
    import pyarrow as _pyarrow
except ImportError as error:
    raise ImportError("arrowcdc needs pyarrow 26: pip install 'pyarrow>=26,<27'") from error

_REQUIRED_MAJOR = 26
if int(_pyarrow.__version__.split(".")[0]) != _REQUIRED_MAJOR:
    raise ImportError(
        f"arrowcdc is built for pyarrow {_REQUIRED_MAJOR} and found {_pyarrow.__version__}: "
        f"pip install 'pyarrow>={_REQUIRED_MAJOR},<{_REQUIRED_MAJOR + 1}'"
    )

from ._config import ArrowCDCReaderConfig
from ._core import version as __version__
from ._errors import (
    ArrowCDCError,
    ConnectionFailedError,
    OptionError,
    ReaderUnreadError,
    ServerError,
    SlotError,
)
from ._readers import Reader, Readers

__all__ = [
    "ArrowCDCError",
    "ArrowCDCReaderConfig",
    "ConnectionFailedError",
    "OptionError",
    "Reader",
    "ReaderUnreadError",
    "Readers",
    "ServerError",
    "SlotError",
    "__version__",
]
