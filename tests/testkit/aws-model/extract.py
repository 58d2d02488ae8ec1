#!/usr/bin/env python3
"""Make transcribe.json, kms.json and sts.json: the parts of three API models of AWS that this project is held against.

The source is the service descriptions inside botocore (Apache-2.0), at a pinned version. Kept are Amazon Transcribe's
operations on the four kinds of jobs and on tags, those of AWS KMS that tell whether a key can be used, and those of AWS
STS by which a role is assumed, with every shape they reach, in botocore's own vocabulary; prose is left out. The order is
fixed, so that two runs give the same bytes.

    extract.py                    install the pinned botocore into a cache, write all files
    extract.py --botocore PATH    read an unpacked botocore of the pinned version (the folder that holds data/)
    extract.py --check            write nothing; fail if a file is not what this script would write
"""

import argparse
import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path

BOTOCORE = "1.44.5"
KINDS = {
    "TranscriptionJob": "TranscriptionJobs",
    "MedicalTranscriptionJob": "MedicalTranscriptionJobs",
    "CallAnalyticsJob": "CallAnalyticsJobs",
    "MedicalScribeJob": "MedicalScribeJobs",
}
TRANSCRIBE = sorted(
    [f"{verb}{kind}" for kind in KINDS for verb in ("Start", "Get", "Delete")]
    + [f"List{plural}" for plural in KINDS.values()]
    + ["TagResource", "UntagResource", "ListTagsForResource"]
)
# Each file, the service description that it is made from, and the operations that it keeps.
EXTRACTS = {
    "transcribe.json": ("data/transcribe/2017-10-26/service-2.json", TRANSCRIBE),
    "kms.json": ("data/kms/2014-11-01/service-2.json", ["Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey"]),
    "sts.json": (
        "data/sts/2011-06-15/service-2.json",
        ["AssumeRole", "AssumeRoleWithWebIdentity", "GetCallerIdentity"],
    ),
}


def installed() -> Path:
    """The pinned botocore, installed into a cache of its own if it is not there yet."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    target = cache / "transcribe-operator" / f"botocore-{BOTOCORE}"
    if not (target / "botocore").is_dir():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*pip, "--target", str(target), f"botocore=={BOTOCORE}"], check=True)
    return target / "botocore"


def checked_version(package: Path) -> None:
    """Refuse any botocore but the pinned one: another version would change the extract in silence."""
    found = re.search(r"^__version__ = '([^']+)'", (package / "__init__.py").read_text(), re.MULTILINE)
    if not found or found.group(1) != BOTOCORE:
        sys.exit(f"{package} is not botocore {BOTOCORE}")


def load(package: Path, source: str) -> dict:
    """The service description; newer wheels carry it compressed."""
    packed = package / f"{source}.gz"
    return json.loads(gzip.decompress(packed.read_bytes()) if packed.exists() else (package / source).read_bytes())


def without_prose(node):
    """The same tree without documentation. A member that bears that name would be an object, and stays."""
    if isinstance(node, dict):
        kept = {k: v for k, v in node.items() if not (k == "documentation" and isinstance(v, str))}
        return {k: without_prose(v) for k, v in kept.items()}
    return [without_prose(v) for v in node] if isinstance(node, list) else node


def references(node):
    """Every shape name that a node refers to."""
    if isinstance(node, dict):
        if isinstance(node.get("shape"), str):
            yield node["shape"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def extract(model: dict, source: str, names: list) -> dict:
    """The operations of those names and all that they reach."""
    operations = {name: without_prose(model["operations"][name]) for name in names}
    reached, todo = {}, set(references(operations))
    while todo:
        name = todo.pop()
        reached[name] = without_prose(model["shapes"][name])
        todo |= set(references(reached[name])) - reached.keys()
    return {
        "version": BOTOCORE,
        "source": f"botocore {BOTOCORE}, {source}.gz, Apache-2.0; made by extract.py",
        "metadata": model["metadata"],
        "operations": operations,
        "shapes": dict(sorted(reached.items())),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Extract API models of AWS from botocore.")
    parser.add_argument("--botocore", type=Path, help=f"an unpacked botocore {BOTOCORE}; default: installed into a cache")
    parser.add_argument("--check", action="store_true", help="compare only, and fail if a file is not current")
    args = parser.parse_args()
    package = args.botocore or installed()
    checked_version(package)
    for name, (source, operations) in EXTRACTS.items():
        output = Path(__file__).with_name(name)
        text = json.dumps(extract(load(package, source), source, operations), indent=1, sort_keys=False) + "\n"
        if not args.check:
            output.write_text(text)
        elif not output.exists() or output.read_text() != text:
            sys.exit(f"{name} is not current: run {Path(__file__).name}")


if __name__ == "__main__":
    main()
