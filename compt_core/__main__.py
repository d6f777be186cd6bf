"""``python -m compt_core …``: see compt_core.cli."""

import sys

try:  # Ctrl+C may come while the command line itself is still being imported
    from compt_core.cli import main

    code = main()
except KeyboardInterrupt:
    print("Interrupted; what was running is stopped.", file=sys.stderr)
    code = 130
raise SystemExit(code)
