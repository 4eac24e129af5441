"""Command line: `python -m intents predict|evaluate|train|card`.

Exit codes: 0 done, 1 the input is not what it should be (the line is named), 2 wrong use of the command line.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from intents.lines import BadLine, read_json_lines, training_lines


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m intents", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    predict = commands.add_parser("predict", help='add "intents", "lang" and "scores" to each {"text": ...} line')
    predict.add_argument("file", help="JSON Lines, - for standard input")
    evaluate = commands.add_parser("evaluate", help="score labelled lines; print latency and calibration")
    evaluate.add_argument("file", type=Path)
    evaluate.add_argument("--errors", type=int, default=0, metavar="N", help="show N wrong messages")
    train = commands.add_parser("train", help="make model.npz from the lines in intents/data/train")
    train.add_argument("--output", type=Path, default=None)
    commands.add_parser("card", help="measure on intents/data/dev and fill in docs/intents.md")
    options = parser.parse_args(arguments)
    try:
        if options.command == "predict":
            return _predict(options.file)
        if options.command == "evaluate":
            return _evaluate(options.file, options.errors)
        if options.command == "train":
            return _train(options.output)
        return _card()
    except (BadLine, OSError) as error:
        print(f"intents: {error}", file=sys.stderr)
        return 1


def _predict(name: str) -> int:
    from intents.detect import detect

    for value in _values(name):
        found = detect(str(value["text"]))
        value |= {"intents": list(found.intents), "lang": found.language, "scores": dict(found.scores)}
        print(json.dumps(value, ensure_ascii=False))
    return 0


def _values(name: str) -> Iterator[dict[str, object]]:
    if name == "-":
        yield from read_json_lines(sys.stdin, "standard input")
    else:
        with open(name, encoding="utf-8") as file:
            yield from read_json_lines(file, name)


def _evaluate(path: Path, errors: int) -> int:
    from intents.evaluate import report
    from intents.lines import read_lines

    print(report(read_lines([path]), errors=errors))
    return 0


def _train(output: Path | None) -> int:
    from intents.model import MODEL_FILE
    from intents.train import save, train

    lines = training_lines()
    save(train(lines), output or MODEL_FILE)
    print(f"{len(lines)} lines -> {output or MODEL_FILE.name}")
    return 0


def _card() -> int:
    from intents.card import write_card

    write_card()
    return 0


if __name__ == "__main__":
    sys.exit(main())
