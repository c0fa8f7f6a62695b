"""What configurations of released trainers may hold, read from their sources without importing them, as tests hold exports against them.

    python scripts/read_schemas.py TOOL VERSION FOLDER [FOLDER of transformers, for axolotl, llamafactory and trl]

TOOL: axolotl, llamafactory, torchtitan, accelerate, deepspeed, trl, unsloth, verl, openrlhf, torchtune, nemo. Writes tests/tui/export_facts/schemas/TOOL-VERSION.json: each key with
the words that it allows, null where any; keys of a table are dotted.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))
from scripts.read_flags import FOLDER, Flags, Types, named, strings, trees

SCHEMAS = FOLDER.parent / "schemas"


def enums(modules: list[ast.Module]) -> dict[str, list[str]]:
    """The values of each Enum."""
    found = {}
    for module in modules:
        for node in module.body:
            if isinstance(node, ast.ClassDef) and any("Enum" in named(base) for base in node.bases):
                found[node.name] = [
                    word for one in node.body if isinstance(one, ast.Assign) for word in strings(one.value)
                ]
    return found


def fields_of(types: Types, words: dict[str, list[str]], name: str, prefix: str = "") -> Flags:
    """The fields of a class, with the words of Literals and Enums; a `str` beside them takes any."""
    found = Flags()
    for field, annotation in types.fields[name].items():
        allowed = types.words(annotation)
        allowed += [word for enum, those in words.items() if types.has(annotation, enum) for word in those]
        found[prefix + field] = None if types.has(annotation, "str") or not allowed else allowed
    return found


def tables(types: Types, words: dict[str, list[str]], name: str, inner: dict[str, str]) -> Flags:
    """The fields of a class and of the classes of its tables, dotted."""
    found = fields_of(types, words, name)
    for field, of in inner.items():
        found |= fields_of(types, words, of, f"{field}.")
    return found


def axolotl(folder: Path, library: Path) -> Flags:
    """Axolotl: pydantic models of utils/schemas, with transformers' optimizers beside its own."""
    modules = list(trees(folder, "axolotl/utils/schemas/*.py"))
    order = [module for _ in range(3) for module in modules]  # bases stand in other modules
    types, words = Types(order), enums([*modules, *trees(library, "transformers/training_args.py")])
    return tables(types, words, "AxolotlInputConfig", {"fsdp_config": "FSDPConfig"})


def llamafactory(folder: Path, library: Path) -> Flags:
    """LLaMA-Factory: dataclasses of hparams, and transformers' training arguments."""
    modules = list(trees(folder, "llamafactory/hparams/*.py"))
    found, words = Flags(), enums([*trees(library, "transformers/training_args.py")])
    for part in (modules, [*trees(library, "transformers/training_args.py")]):
        types = Types(part)
        for name in types.fields:
            found |= fields_of(types, words, name)
    found["optim"] = words["OptimizerNames"]
    return found


def torchtitan(folder: Path) -> Flags:
    """torchtitan: dataclasses of its job configuration, a table each."""
    modules = list(trees(folder, "torchtitan/config/job_config.py"))
    types = Types(modules)
    inner = {name: named(annotation) for name, annotation in types.fields["JobConfig"].items()}
    return tables(types, {}, "JobConfig", {name: of for name, of in inner.items() if of in types.fields})


def accelerate(folder: Path) -> Flags:
    """Accelerate: the fields of ClusterConfig; keys of its tables are options of `accelerate launch`."""
    types = Types(list(trees(folder, "accelerate/commands/config/config_args.py")))
    found = fields_of(types, {}, "ClusterConfig")
    for module in trees(folder, "accelerate/commands/launch.py"):
        for node in ast.walk(module):
            if isinstance(node, ast.Call) and named(node.func) == "add_argument":
                choices = next((one.value for one in node.keywords if one.arg == "choices"), None)
                for flag in (one for one in node.args if isinstance(one, ast.Constant)):
                    key = str(flag.value).removeprefix("--").replace("-", "_")
                    if key.startswith(("fsdp_", "parallelism_config_")):
                        table = "fsdp_config" if key.startswith("fsdp_") else "parallelism_config"
                        found[f"{table}.{key}"] = strings(choices) or None
    return found


def deepspeed(folder: Path) -> Flags:
    """DeepSpeed: names of its top level (runtime/constants.py), and the fields of its models."""
    (root,) = folder.glob("**/deepspeed/runtime/constants.py")
    found = Flags()
    for node in ast.parse(root.read_text(encoding="utf-8")).body:
        word = "".join(strings(node.value)) if isinstance(node, ast.Assign) else ""
        if word.isidentifier():
            found[word] = None
    for one in ast.walk(ast.parse((root.parent / "config.py").read_text(encoding="utf-8"))):
        if isinstance(one, ast.Compare) and named(one.comparators[0]) == "config":  # "sequence_parallel_size" in config
            found |= dict.fromkeys(strings(one.left))
    models = {"zero/config.py": ("DeepSpeedZeroConfig", "zero_optimization")}
    models |= {"zero/offload_config.py": ("DeepSpeedZeroOffloadOptimizerConfig", "offload_optimizer")}
    for path, (name, table) in models.items():
        module = ast.parse((root.parent / path).read_text(encoding="utf-8"))
        words = enums([module])
        found |= fields_of(Types([module]), words, name, f"{table}.")
        found[table] = None
    module = ast.parse((root.parent / "tensor_parallel" / "config.py").read_text(encoding="utf-8"))
    found |= fields_of(Types([module]), {}, "TPTrainingConfig", "tensor_parallel.")
    found["tensor_parallel"] = None
    return found


def trl(folder: Path, library: Path) -> Flags:
    """TRL: its configurations, models' and scripts' arguments, and transformers' training arguments."""
    training = list(trees(library, "transformers/training_args.py"))
    found, words = Flags(), enums(training)
    for module in (*trees(folder, "trl/trainer/*_config.py"), *trees(folder, "trl/scripts/utils.py"), *training):
        types = Types([module])
        for name in types.fields:
            found |= fields_of(types, words, name)
    found["optim"] = words["OptimizerNames"]
    return found


def unsloth(folder: Path) -> Flags:
    """Unsloth: pydantic models of its command line."""
    types = Types(list(trees(folder, "unsloth_cli/config.py")))
    inner = {"data": "DataConfig", "training": "TrainingConfig", "lora": "LoraConfig", "logging": "LoggingConfig"}
    return tables(types, {}, "Config", inner)


def dotted(table: Mapping[str, Any], prefix: str = "") -> Flags:
    """The keys of a table and of those in it, dotted."""
    found = Flags()
    for key, value in table.items():
        found[prefix + key] = None
        if isinstance(value, dict):
            found |= dotted(value, f"{prefix}{key}.")
    return found


def verl(folder: Path) -> Flags:
    """verl: the configuration of its trainer by FSDP."""
    import yaml  # type: ignore[import-untyped] # as where the app reads it

    (file,) = folder.glob("verl/trainer/config/_generated_ppo_trainer.yaml")
    every = dotted(yaml.safe_load(file.read_text(encoding="utf-8")))
    return Flags(
        {key: words for key, words in every.items() if not re.search("profiler|qat|turbo|kwargs|_target_", key)}
    )


def torchtune(folder: Path) -> Flags:
    """torchtune: what its configurations hold, and what its recipes read beside that."""
    import yaml

    found = Flags()
    for file in folder.glob("recipes/configs/*/*.yaml"):
        found |= dotted(yaml.safe_load(file.read_text(encoding="utf-8")))
        found[f"{file.parent.name}/{file.stem}"] = None
    for module in trees(folder, "recipes/*.py"):
        for one in ast.walk(module):
            if (
                isinstance(one, ast.Call)
                and named(one.func) == "get"
                and named(getattr(one.func, "value", one)) == "cfg"
            ):
                found |= dict.fromkeys(strings(one.args[0]))
    return found


def openrlhf(folder: Path) -> Flags:
    """OpenRLHF: the arguments of its four trainers."""
    found = Flags()
    for module in trees(folder, "**/openrlhf/cli/train_*.py"):
        for node in ast.walk(module):
            if isinstance(node, ast.Call) and named(node.func) == "add_argument" and node.args:
                choices = next((one.value for one in node.keywords if one.arg == "choices"), None)
                prefixed = isinstance(node.args[0], ast.JoinedStr)
                for flag in () if prefixed else strings(node.args[0]):
                    found[flag] = strings(choices) or None
    return found


def nemo(folder: Path) -> Flags:
    """Megatron-Bridge: tables of its training configuration, with what Megatron-Core's classes under them hold."""
    found = Flags()
    parts = {"train": "TrainingConfig", "dataset": "FinetuningDatasetConfig"}
    for module in trees(folder, "megatron/bridge/training/config.py"):
        types = Types([module])
        for table, name in parts.items():
            found |= fields_of(types, {}, name, f"{table}.")
    for module in trees(
        folder, "megatron/bridge/recipes/*/*.py", "megatron/bridge/training/*.py", "megatron/bridge/peft/*.py"
    ):
        for one in ast.walk(module):
            if isinstance(one, ast.Attribute) and named(one.value) in ("model", "ddp", "optimizer", "dataset", "peft"):
                found[f"{named(one.value)}.{one.attr}"] = None
    types = Types(list(trees(folder, "megatron/bridge/peft/*.py")))
    found |= fields_of(types, {}, "LoRA", "peft.")
    for file in folder.glob("megatron/bridge/recipes/*/*.py"):
        for line in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(line, ast.FunctionDef) and line.name.endswith("_config"):
                found[line.name] = None
    return found


READERS = {
    "trl": trl,
    "unsloth": unsloth,
    "verl": verl,
    "openrlhf": openrlhf,
    "torchtune": torchtune,
    "nemo": nemo,
    "axolotl": axolotl,
    "llamafactory": llamafactory,
    "torchtitan": torchtitan,
    "accelerate": accelerate,
    "deepspeed": deepspeed,
}


def main() -> None:
    """Read one tool's configuration and write it."""
    tool, version, *folders = sys.argv[1:]
    keys: Flags = READERS[tool](*map(Path, folders))  # type: ignore[operator] # one takes two folders
    SCHEMAS.mkdir(parents=True, exist_ok=True)
    target = SCHEMAS / f"{tool}-{version}.json"
    target.write_text(json.dumps(dict(sorted(keys.items())), indent=0) + "\n", encoding="utf-8")
    print(f"{target.name}: {len(keys)} keys, {sum(one is not None for one in keys.values())} with words of their own")


if __name__ == "__main__":
    main()
