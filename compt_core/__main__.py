"""``python -m compt_core …`` and the command ``compt``: see compt_core.cli.main."""

import sys

from compt_core.signals import Stopped, signals_raise


def start() -> None:
    """Runs the command line and ends the process with its exit code."""
    with signals_raise():
        try:  # Ctrl+C may come while the command line itself is still being imported
            from compt_core.cli.main import main

            code = main()
        except KeyboardInterrupt:
            print("Interrupted. What was running has been stopped.", file=sys.stderr)
            code = 130
        except Stopped as stopped:
            print(stopped, file=sys.stderr)
            code = stopped.code
    raise SystemExit(code)


if __name__ == "__main__":
    start()
