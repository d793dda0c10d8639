"""``python -m authsvc.verify check - --issuer URL --audience NAME``."""

import sys

from authsvc.verify.check import main

if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:], source=sys.stdin, out=sys.stdout))
