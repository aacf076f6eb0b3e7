"""Logs a run with the W&B SDK as a person would: `log_run.py <input.json>`, the server and the key in WANDB_BASE_URL and WANDB_API_KEY."""

import json
import sys

import wandb

with open(sys.argv[1]) as file:
    given = json.load(file)

run = wandb.init(
    entity=given["entity"],
    project=given["project"],
    id=given["id"],
    name=given["displayName"],
    group=given["group"],
    tags=given["tags"],
    job_type=given["jobType"],
    config=given["config"],
    settings=wandb.Settings(
        console="off",
        disable_git=True,
        disable_job_creation=True,
        save_code=False,
        x_disable_machine_info=True,
        x_disable_meta=True,
        x_disable_stats=True,
    ),
)
run.define_metric("train/step")
run.define_metric("*", step_metric="train/step")
for row in given["rows"]:
    run.log({name: float(value) if value in ("NaN", "Infinity", "-Infinity") else value for name, value in row.items()})
run.finish(exit_code=given["exitcode"])
