"""See `benchmarks.gpu`."""

import argparse
from pathlib import Path

import benchmarks.gpu
from benchmarks.gpu.record import ROWS, write_tables
from benchmarks.gpu.supervise import supervise


def main() -> None:
    """Watch a worker, or be one."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu", description=(benchmarks.gpu.__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--first", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--end", type=float, help=argparse.SUPPRESS)
    given = parser.parse_args()
    output = given.output.resolve()
    if given.first is not None:
        from benchmarks.gpu.worker import work  # noqa: PLC0415 - torch, in a worker alone

        work(output, given.device, given.first, given.end)
        return
    output.mkdir(parents=True, exist_ok=True)
    (output / ROWS).unlink(missing_ok=True)
    supervise(output, given.minutes, given.device)
    print(f"\n{write_tables(output)}")


if __name__ == "__main__":
    main()
