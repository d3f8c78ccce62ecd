#!/usr/bin/env python3
"""The kit's podrun.py with what a kubelet does and it does not: `$(NAME)` in values of the environment, `status.hostIP`, and mounted
ConfigMaps and Secrets whose files are exchanged all at once, by a link.

    node.py KIT --kubeconfig FILE --state DIR --image NAME=ARCHIVE...
"""
import argparse
import os
import re
import shutil
import sys
import time

sys.path.insert(0, sys.argv.pop(1))
import podrun  # noqa: E402


class Pod(podrun.Pod):
    def env(self, container, image):
        own = [with_host_ip(entry) for entry in container.get("env", [])]
        values = dict(entry.split("=", 1) for entry in super().env(container | {"env": own}, image))
        known = {name: value for name, value in values.items() if name not in {entry["name"] for entry in own}}
        for entry in own:
            value = values[entry["name"]]
            known[entry["name"]] = expanded(value, known) if "value" in entry else value
        return [f"{name}={value}" for name, value in known.items()]

    def write(self, volume, files):
        volume.mkdir(parents=True, exist_ok=True)
        link = volume / "..data"
        before = link.resolve() if link.is_symlink() else None
        if before and {file.name: file.read_bytes() for file in before.iterdir()} == files:
            return
        version = volume / f"..{time.time_ns()}"
        version.mkdir()
        for name, content in files.items():
            (version / name).write_bytes(content)
        (volume / "..data_tmp").symlink_to(version.name)
        os.rename(volume / "..data_tmp", link)
        for name in files:
            if not (volume / name).is_symlink():
                (volume / name).symlink_to(f"..data/{name}")
        for name in os.listdir(volume):
            if not name.startswith("..") and name not in files:
                (volume / name).unlink()
        if before:
            shutil.rmtree(before)


def with_host_ip(entry):
    field = entry.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
    return {"name": entry["name"], "value": f"{podrun.NET}.1"} if field == "status.hostIP" else entry


def expanded(text, known):
    """What is not known stays as it is, and `$$` is a dollar."""
    def one(match):
        if match[0] == "$$":
            return "$"
        return known.get(match[1], match[0])
    return re.sub(r"\$\$|\$\(([^)]*)\)", one, text)


podrun.Pod = Pod
arguments = argparse.ArgumentParser()
arguments.add_argument("--kubeconfig", required=True)
arguments.add_argument("--state", required=True)
arguments.add_argument("--image", action="append", default=[])
podrun.Node(arguments.parse_args()).run()
