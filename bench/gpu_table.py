"""Adds the rows that bench/gpu_check is for to its JSON: what was measured,
what it must be and what it should be. `met` is null where it was not measured.

  gpu_table.py RESULT.json
"""

import json
import statistics
import sys


def get(tree, *path):
    for key in path:
        if not isinstance(tree, dict) or tree.get(key) is None:
            return None
        tree = tree[key]
    return tree if isinstance(tree, (int, float)) else None


def ratio(a, b):
    return a / b if a is not None and b else None


def median(values):
    values = [v for v in values if v is not None]
    return statistics.median(values) if values else None


def row(what, value, must, aim=None, more_is_better=True):
    met = None
    if value is not None:
        met = value >= must if more_is_better else value <= must
    return {"what": what, "value": value, "must": must, "aim": aim, "met": met}


def rows(result):
    rounds = result.get("rounds", [])

    def rate(batch):
        return median(get(r, "alexnet", f"training bf16 batch {batch}",
                          "images_per_s") for r in rounds)

    def times_faster(batch):
        return median(ratio(
            get(r, "alexnet", f"training bf16 batch {batch}", "images_per_s"),
            get(r, "pytorch", f"bf16 batch {batch}", "images_per_s"))
            for r in rounds)

    def error(of):
        return get(result, "parity", "note errors fp32", of)

    epoch = get(result, "more", "epoch bf16 seconds")
    def gib(part):
        return ratio(get(result, part, "training bf16 batch 1024",
                         "gpu_memory_bytes"), 2**30)

    return [
        row("bf16 training, batch 128, images/s", rate(128), 40000, 60000),
        row("bf16 training, batch 32, images/s", rate(32), 20000, 35000),
        row("against PyTorch tuned, batch 128", times_faster(128), 1.5,
            2.5),
        row("against the note's script, an epoch with its loader, batch 32",
            ratio(get(result, "note_script", "epoch_s"), epoch), 20, 50),
        row("the whole job, seconds", get(result, "program_job", "seconds"), 8,
            4, more_is_better=False),
        row("the same by gpu_check, from memory, seconds",
            get(result, "whole_job", "seconds"), 8, 4, more_is_better=False),
        row("GPU memory at batch 1024, bf16, GiB", gib("large"), 4, 2.5,
            more_is_better=False),
        row("the same in slices of 512, GiB", gib("slices"), 4, 2.5,
            more_is_better=False),
        row("fp32 logits against the reference, of the norm", error("logits"),
            1e-5, more_is_better=False),
        row("fp32 gradients against the reference, of the norm",
            error("gradients"), 1e-5, more_is_better=False),
    ]


def main(path):
    with open(path, encoding="utf-8") as file:
        result = json.load(file)
    result["table"] = rows(result)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)
        file.write("\n")


main(sys.argv[1])
