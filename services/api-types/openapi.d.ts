/** Generated from services/contracts by `npm run generate`; do not edit. */
export interface paths {
    "/runs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List runs, newest first */
        get: operations["listRuns"];
        put?: never;
        /**
         * Submit a run
         * @description Checks the spec, puts the run into the queue and answers at once. When `training.output_dir` already belongs to an ended run, that run is continued from its latest checkpoint (200), unless `training.start_fresh` is set.
         */
        post: operations["createRun"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/runs/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A run with its attempts, progress and reason */
        get: operations["getRun"];
        put?: never;
        post?: never;
        /** Delete an ended run, its records and its checkpoints */
        delete: operations["deleteRun"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/runs/{id}/resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Resume a run from one of its checkpoints */
        post: operations["resumeRun"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/runs/{id}/pause": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Save a checkpoint, then stop until resumed */
        post: operations["pauseRun"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/runs/{id}/cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Save a checkpoint, then end the run */
        post: operations["cancelRun"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/evaluations": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Evaluate a stored checkpoint, or a model as it is, on a data set
         * @description Makes a run of its own (`task: evaluate`) that waits in the queue, has a lease, restarts and can be paused as any other, makes no update and saves no checkpoint. It takes model, rewards, rollouts and what else matters from the run that saved the checkpoint. Its result is in `latest_evaluation`, under `GET /runs/{id}/evals` and in `eval_logs/` of its tree. The checkpoint cannot be deleted until it has ended.
         */
        post: operations["createEvaluation"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/runs/{id}/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What happened to a run and why */
        get: operations["listEvents"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/runs/{id}/logs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Log lines by component and level */
        get: operations["getLogs"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/runs/{id}/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Metrics by name and step range, downsampled */
        get: operations["getMetrics"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/runs/{id}/evals": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Evaluations, by step */
        get: operations["listEvaluations"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/runs/{id}/archive": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Config, records, logs and evaluations of a run as one archive
         * @description A tar.gz with `archive.json` (up to which record it reaches), `run.json`, `spec.json`, `evaluations.json`, `checkpoints.json` (without their files), `events.jsonl`, `records/a<attempt>.jsonl` and `logs/` (with what the programs printed: `inference.log`, `trainer.out.log`). It shows the run as it was when the request came, also while the run goes on. A transfer that breaks off is not a shorter archive: the gzip stream then has no end.
         */
        get: operations["getArchive"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/runs/{id}/logging": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /** Change log levels of a live run */
        patch: operations["setLogging"];
        trace?: never;
    };
    "/runs/{id}/training-log": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The training log of a run
         * @description `training_log.json` as the tree of the run has it: `config`, `train_history`, `val_history` and what was best, by the keys of its method. Made from the records, so it is there without the file, and up to date.
         */
        get: operations["getTrainingLog"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/runs/{id}/train-history.csv": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The training history of a run as CSV
         * @description `train_history` of its training log, a column for each key; an empty cell was not recorded or is no finite number. Texts that a spreadsheet would take for a formula begin with an apostrophe.
         */
        get: operations["getTrainHistory"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/runs/{id}/val-history.csv": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The validation history of a run as CSV
         * @description `val_history` of its training log, a column for each key; an empty cell was not recorded or is no finite number. Texts that a spreadsheet would take for a formula begin with an apostrophe.
         */
        get: operations["getValHistory"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/runs/{id}/plots/{file}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * A picture of how a run went
         * @description Raw and smoothed curves of training, evaluations, the best checkpoint and resumes. `reward_curve` also shows the components of the reward (GRPO), or accuracy and margin (DPO). A picture that the log has no numbers for is a 404 that names those there are.
         */
        get: operations["getPlot"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/runs/{id}/report": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * A run on one page
         * @description HTML with its curves, statistics, validations and configuration. It has no script and needs nothing else, so it can be saved and sent.
         */
        get: operations["getReport"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/compare": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Several runs side by side
         * @description Their settings, those that differ first, and mean, variance, trend and best of what they measured. As text/html (what a browser asks for) a page that also overlays their curves.
         */
        get: operations["compareRuns"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/runs/{id}/trackers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * How far W&B, TensorBoard and MLflow are with a run
         * @description Those that the spec of the run turns on, while it goes and after its end. Trackers work beside training: one that hangs or refuses costs the trainer nothing, and gets everything once it takes it.
         */
        get: operations["listTrackers"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/runs/{id}/checkpoints": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Checkpoints of a run, newest first */
        get: operations["listCheckpoints"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/runs/{id}/checkpoints/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A checkpoint with its files */
        get: operations["getCheckpoint"];
        put?: never;
        post?: never;
        /**
         * Delete a checkpoint
         * @description Refused for what is pinned, for what a run under way, queued or paused starts from, resumes from or trains on, and for what a fork has inherited, which is deleted from the run that saved it.
         */
        delete: operations["deleteCheckpoint"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/runs/{id}/checkpoints/{name}/pin": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Keep a checkpoint, whatever retention says
         * @description The pin lies beside the checkpoint in the object store, so it survives the database. What a fork has inherited is pinned in the run that saved it.
         */
        post: operations["pinCheckpoint"];
        /** Leave a checkpoint to retention again */
        delete: operations["unpinCheckpoint"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/runs/{id}/checkpoints/prune": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Apply retention now, or see what it would do
         * @description Retention runs by itself after each save; this does the same. `dry_run=true` only answers what would stay and go, and why.
         */
        post: operations["pruneCheckpoints"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/runs/{id}/checkpoints/{name}/archive": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * A checkpoint as one tar file
         * @description Streamed from the store without a temporary file; `manifest.json` comes first, and each file is checked against it. A transfer that breaks off before its Content-Length met a damaged file or a store that failed; what was damaged never comes whole.
         */
        get: operations["getCheckpointArchive"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/runs/{id}/checkpoints/{name}/export": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * How to serve a checkpoint: its files and the vLLM command
         * @description What of the checkpoint is needed to serve it, without what only training needs, and the command that does. `scripts/export.sh` fetches it.
         */
        get: operations["exportCheckpoint"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/checkpoints/import": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Make a run of checkpoints that lie in a folder
         * @description Takes a checkpoint folder (of Tandem, a PEFT adapter, of the Hugging Face Trainer, or an older layout) or a whole output folder with its logs and evaluations. The files are copied into the store with a manifest. The run is `paused`: resume it, or fork from it.
         */
        post: operations["importCheckpoints"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/runs/{id}/checkpoints/{name}/files/{path}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A file of a checkpoint */
        get: operations["getCheckpointFile"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/gpus": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The GPUs of the host, their links, their health, and whose they are
         * @description Read every minute; the answer is what was read last. A GPU that vanishes while the control plane runs stays listed, as `unusable`. Until the first reading is done, and with `refresh`, the answer waits for a reading; requests share one, and it takes a minute at most.
         */
        get: operations["listGpus"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/gpus/{uuid}/release": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Give a GPU out again that a program called broken
         * @description A GPU on which a program ended with the words that a GPU is broken (an Xid, an uncorrectable memory error) is quarantined for ten minutes, and longer while it is read to be unusable. This ends it, once you know that the GPU works. What else keeps it back, as processes on it, still does.
         */
        post: operations["releaseGpu"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/queue": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Who waits for what, in order, and why in numbers
         * @description Decided anew for each answer, by the rules by which runs are started: runs on GPUs by priority and age, with a reservation for the first that has to wait, runs on the CPU by slots. The sentence of a run is also in `GET /runs/{id}` (`waiting.why`).
         */
        get: operations["getQueue"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/gpu-profiles": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The GPU profiles that runs can name, and which of them this host could hold
         * @description Read from `gpu-profiles/` at the start of the control plane. With GRPO a run takes the GPUs of both roles, else those of the trainer.
         */
        get: operations["listGpuProfiles"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/preflight": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Whether this host is ready for runs, one line per check with its remedy
         * @description Linux, Docker, Compose, the NVIDIA container toolkit, driver and CUDA, GPUs, memory, disk, ports and keys. What does not matter for the runtime or without GPUs is a `note`. Takes some seconds, half a minute at most; `scripts/preflight.sh` prints the same without a control plane.
         */
        get: operations["getPreflight"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/healthz": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Whether the process is alive */
        get: operations["getHealth"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/readyz": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Whether every running program has been taken over and requests are served */
        get: operations["getReadiness"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The control plane in numbers, for Prometheus
         * @description Runs, queue, GPUs, requests, checkpoints, files and trackers, and the key metrics of runs that run, in the text format of Prometheus. It asks for the token of the API where there is one: `authorization: {credentials_file: ...}` in `scrape_configs`.
         */
        get: operations["getServiceMetrics"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/agent/attempts/{id}/spec": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What to train, from where, and where to write */
        get: operations["getAttemptSpec"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/agent/attempts/{id}/records": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Report records; also the heartbeat
         * @description NDJSON, numbered consecutively. Records already stored are skipped, a gap is refused with `record-gap`. An empty body is a heartbeat.
         */
        post: operations["postRecords"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/agent/attempts/{id}/uploads": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Ask where the files of a checkpoint go */
        post: operations["postUploads"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/agent/attempts/{id}/checkpoints": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Commit uploaded files as a checkpoint
         * @description Checks presence and size of every file, then writes the manifest. Repeating the same commit answers the same; another one for the same step is a conflict.
         */
        post: operations["postCheckpoint"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @description A run, as YAML or JSON. */
        RunSpec: {
            /**
             * @description A name for people.
             * @default null
             * @example addition-grpo
             */
            name: string | null;
            /**
             * @description `evaluate`: measure the model, or the checkpoint that `checkpoint.resume_from_checkpoint` names, on `data.val_data` as the method does; nothing is trained and no checkpoint saved. `POST /evaluations` writes such a spec.
             * @default train
             */
            task: components["schemas"]["Task"];
            /** @default grpo */
            method: components["schemas"]["Method"];
            /**
             * @description Labels to filter runs by.
             * @default {}
             * @example {
             *       "team": "agents"
             *     }
             */
            labels: {
                [key: string]: string;
            };
            /**
             * @description Higher starts earlier.
             * @default 50
             * @example 50
             */
            priority: number;
            /**
             * @description Whether a run of higher priority may have its GPUs: it is asked to save, and goes on from there later. False where an interruption costs more than it helps.
             * @default true
             * @example true
             */
            preemptible: boolean;
            /**
             * @description How long it will hold its GPUs, in minutes; the queue plans by it until the run has a speed of its own. null: unknown, so it is not started past runs that it might delay.
             * @default null
             * @example 240
             */
            expected_minutes: number | null;
            /**
             * @description Seeds data order, LoRA initialisation and sampling.
             * @default 42
             * @example 42
             */
            seed: number;
            /**
             * @description Trainer backend. `image`: any program that speaks the agent API, as a container of `trainer_image`.
             * @default tfjs
             * @example tfjs
             * @enum {string}
             */
            trainer: "tfjs" | "areal" | "trl" | "image";
            /**
             * @description For `trainer: image`: the image, one of those that TANDEM_TRAINER_IMAGES names. Its own entrypoint is started.
             * @default null
             * @example null
             */
            trainer_image: string | null;
            /**
             * @description How the GPUs are divided between the roles; null: chosen by the host.
             * @default null
             * @example split-8
             */
            gpu_profile: string | null;
            /**
             * @example {
             *       "name": "Qwen/Qwen3-VL-32B-Instruct"
             *     }
             */
            model: components["schemas"]["ModelSpec"];
            /**
             * @default {}
             * @example {
             *       "train_data": "data/train.jsonl"
             *     }
             */
            data: components["schemas"]["DataSpec"];
            /**
             * @description What the model acts in (GRPO).
             * @default {}
             * @example {
             *       "type": "single_turn"
             *     }
             */
            environment: components["schemas"]["EnvironmentSpec"];
            /**
             * @description Rewards, summed by weight (GRPO).
             * @default [
             *       {
             *         "name": "exact",
             *         "weight": 1
             *       }
             *     ]
             * @example [
             *       {
             *         "name": "exact"
             *       }
             *     ]
             */
            reward: components["schemas"]["RewardSpec"][];
            /**
             * @default {}
             * @example {
             *       "max_steps": 200
             *     }
             */
            training: components["schemas"]["TrainingSpec"];
            /**
             * @description Options of GRPO.
             * @default {}
             * @example {
             *       "kl_coef": 0
             *     }
             */
            grpo: components["schemas"]["GrpoSpec"];
            /**
             * @description Options of DPO.
             * @default {}
             * @example {
             *       "beta": 0.1
             *     }
             */
            dpo: components["schemas"]["DpoSpec"];
            /**
             * @description Options of SFT.
             * @default {}
             * @example {
             *       "packing": false
             *     }
             */
            sft: components["schemas"]["SftSpec"];
            /**
             * @description Where it starts from.
             * @default {}
             * @example {}
             */
            checkpoint: components["schemas"]["CheckpointSpec"];
            /**
             * @description How completions are made (GRPO).
             * @default {}
             * @example {
             *       "num_rollouts": 4
             *     }
             */
            rollout: components["schemas"]["RolloutSpec"];
            /**
             * @description What makes the rollouts (GRPO).
             * @default {}
             * @example {
             *       "backend": "vllm"
             *     }
             */
            inference: components["schemas"]["InferenceSpec"];
            /**
             * @default {}
             * @example {
             *       "level": "INFO"
             *     }
             */
            logging: components["schemas"]["LoggingSpec"];
            /**
             * @default {}
             * @example {
             *       "enable_wandb": false
             *     }
             */
            monitoring: components["schemas"]["MonitoringSpec"];
            /**
             * @description What happens by itself after a failure.
             * @default {}
             * @example {
             *       "max_restarts": 3
             *     }
             */
            recovery: components["schemas"]["RecoverySpec"];
        };
        /**
         * @description What a run does with its model.
         * @example train
         * @enum {string}
         */
        Task: "train" | "evaluate";
        /**
         * @description Training method.
         * @example grpo
         * @enum {string}
         */
        Method: "grpo" | "dpo" | "sft";
        /** @description Low-rank adapter. */
        LoraSpec: {
            /**
             * @description Rank of the LoRA matrices. 8, 16 or 32 by memory; 16 to 8 is a remedy for CUDA out of memory.
             * @default 16
             * @example 16
             */
            r: number;
            /**
             * @description LoRA scale; the update is multiplied by alpha / r.
             * @default 32
             * @example 32
             */
            alpha: number;
            /**
             * @description Dropout on the LoRA input while training.
             * @default 0
             * @example 0
             */
            dropout: number;
            /**
             * @description Projections that get a LoRA; all seven by default.
             * @default [
             *       "q_proj",
             *       "k_proj",
             *       "v_proj",
             *       "o_proj",
             *       "gate_proj",
             *       "up_proj",
             *       "down_proj"
             *     ]
             * @example [
             *       "q_proj",
             *       "v_proj"
             *     ]
             */
            target_modules: ("q_proj" | "k_proj" | "v_proj" | "o_proj" | "gate_proj" | "up_proj" | "down_proj")[];
        };
        /** @description What is trained. */
        ModelSpec: {
            /**
             * @description A model directory, `runs/<id>/<checkpoint>` (or `runs/<id>` for its best) for what another run trained, `store:models/<path>` for one in the object store, or the name of a model hub (`HF_ENDPOINT`), which is fetched before the run starts.
             * @example Qwen/Qwen3-VL-32B-Instruct
             */
            name: string;
            /**
             * @description Of a model from a hub: branch, tag or commit. A run keeps the commit that it meant when the run was submitted.
             * @default main
             * @example main
             */
            revision: string;
            /**
             * @description Longest sequence in tokens, prompt and completion together. Left out: 2048, or what the model was made for if that is less.
             * @default 2048
             * @example 16384
             */
            max_seq_length: number;
            /**
             * @description Train a LoRA adapter; false trains the full weights.
             * @default true
             * @example true
             */
            use_lora: boolean;
            /**
             * @description The adapter, when `use_lora` is true.
             * @default {}
             * @example {
             *       "r": 16,
             *       "alpha": 32
             *     }
             */
            lora: components["schemas"]["LoraSpec"];
            /**
             * @description QLoRA: keep the projections of the frozen model in 4 bits (NF4 with double quantisation) under the adapter. Less memory, and slower where batches are small.
             * @default false
             * @example false
             */
            use_4bit: boolean;
            /**
             * @description Compute in bfloat16 where the trainer backend can; the tfjs trainer computes in float32.
             * @default false
             * @example true
             */
            bf16: boolean;
        };
        /** @description What it learns from. */
        DataSpec: {
            /**
             * @description Training set: a JSONL, JSON, CSV or TSV file, or a directory of them, with `{prompt | messages, completion | answer}` in each row; for DPO `{prompt, chosen, rejected}`.
             * @default null
             * @example data/train.jsonl
             */
            train_data: string | null;
            /**
             * @description Validation set in the same format; null: no validation.
             * @default null
             * @example data/val.jsonl
             */
            val_data: string | null;
            /**
             * @description Where the columns of the data have other names: ours on the left, theirs on the right.
             * @default {}
             * @example {
             *       "prompt": "question"
             *     }
             */
            columns: components["schemas"]["DataColumns"];
            /**
             * @description Rows that cannot be used, such as broken lines and prompts that are too long: `stop` before training, or `skip` them, counted and named.
             * @default stop
             * @example skip
             * @enum {string}
             */
            on_invalid: "stop" | "skip";
            /**
             * @description Shuffle each epoch, by the seed.
             * @default true
             * @example true
             */
            shuffle: boolean;
        };
        /** @description Names of columns that differ from those Tandem knows. */
        DataColumns: {
            /**
             * @description Column that holds the id of a row; null: the one of that name.
             * @default null
             * @example null
             */
            id: string | null;
            /**
             * @description Column that holds the prompt; null: the one of that name.
             * @default null
             * @example question
             */
            prompt: string | null;
            /**
             * @description Column that holds the conversation; null: the one of that name.
             * @default null
             * @example conversations
             */
            messages: string | null;
            /**
             * @description Column that holds the completion; null: the one of that name.
             * @default null
             * @example response
             */
            completion: string | null;
            /**
             * @description Column that holds the answer; null: the one of that name.
             * @default null
             * @example null
             */
            answer: string | null;
            /**
             * @description Column that holds the answer that was preferred (DPO); null: the one of that name.
             * @default null
             * @example null
             */
            chosen: string | null;
            /**
             * @description Column that holds the answer that was not (DPO); null: the one of that name.
             * @default null
             * @example null
             */
            rejected: string | null;
        };
        /** @description What the model acts in. */
        EnvironmentSpec: {
            /**
             * @description `single_turn`: one prompt of the data set, one completion, one reward.
             * @default single_turn
             * @example single_turn
             * @enum {string}
             */
            type: "single_turn";
            /**
             * @description System message put before each prompt.
             * @default null
             * @example null
             */
            system_prompt: string | null;
        };
        /** @description How a completion is scored. */
        RewardSpec: components["schemas"]["ExactReward"] | components["schemas"]["NumericReward"] | components["schemas"]["BoxedReward"] | components["schemas"]["RegexReward"] | components["schemas"]["JsonSchemaReward"] | components["schemas"]["LengthReward"] | components["schemas"]["FunctionReward"] | components["schemas"]["HttpReward"];
        /** @description The trimmed completion equals the answer. */
        ExactReward: {
            /**
             * @description The trimmed completion equals the answer. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            name: "exact";
            /**
             * @description Factor in the sum of rewards.
             * @default 1
             * @example 1
             */
            weight: number;
        };
        /** @description The last number equals that of the answer. */
        NumericReward: {
            /**
             * @description The last number in the completion equals the last one in the answer. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            name: "numeric";
            /**
             * @description Factor in the sum of rewards.
             * @default 1
             * @example 1
             */
            weight: number;
        };
        /** @description The boxed result equals the answer. */
        BoxedReward: {
            /**
             * @description What the last `\boxed{…}` holds equals the answer, as a number or as a formula without its layout. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            name: "boxed";
            /**
             * @description Factor in the sum of rewards.
             * @default 1
             * @example 1
             */
            weight: number;
        };
        /** @description A pattern is found. */
        RegexReward: {
            /**
             * @description A regular expression is found in the completion. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            name: "regex";
            /**
             * @description JavaScript regular expression; anchor it with ^ and $ to match the whole completion.
             * @example ^<think>.*</think>\s*<answer>.*</answer>$
             */
            pattern: string;
            /**
             * @description Of `i`, `m`, `s` and `u`.
             * @default
             * @example s
             */
            flags: string;
            /**
             * @description When it cannot score a completion: `fail` ends the run; `skip` leaves the whole task out of the step, and counts it.
             * @default fail
             * @example skip
             * @enum {string}
             */
            on_failure: "fail" | "skip";
            /**
             * @description Factor in the sum of rewards.
             * @default 1
             * @example 1
             */
            weight: number;
        };
        /** @description The completion is JSON of a shape. */
        JsonSchemaReward: {
            /**
             * @description The completion, or the last fenced block in it, is JSON that the schema admits. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            name: "json_schema";
            /**
             * @description JSON schema (draft 2020-12, without if/then/else).
             * @example {
             *       "type": "object",
             *       "required": [
             *         "answer"
             *       ],
             *       "properties": {
             *         "answer": {
             *           "type": "integer"
             *         }
             *       }
             *     }
             */
            schema: {
                [key: string]: unknown;
            };
            /**
             * @description When it cannot score a completion: `fail` ends the run; `skip` leaves the whole task out of the step, and counts it.
             * @default fail
             * @example skip
             * @enum {string}
             */
            on_failure: "fail" | "skip";
            /**
             * @description Factor in the sum of rewards.
             * @default 1
             * @example 1
             */
            weight: number;
        };
        /** @description The length is within limits. */
        LengthReward: {
            /**
             * @description 1 from `min` to `max`, falling to 0 over `slack` outside. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            name: "length";
            /**
             * @description What is counted.
             * @default tokens
             * @example characters
             * @enum {string}
             */
            unit: "tokens" | "characters";
            /**
             * @description Shortest length that scores 1; the same as `max` for a target.
             * @default 0
             * @example 0
             */
            min: number;
            /**
             * @description Longest length that scores 1; null: any.
             * @default null
             * @example 200
             */
            max: number | null;
            /**
             * @description Over so many more or fewer the score falls evenly to 0; 0: at once.
             * @default 0
             * @example 50
             */
            slack: number;
            /**
             * @description Factor in the sum of rewards.
             * @default 1
             * @example 1
             */
            weight: number;
        };
        /** @description A function in a file scores. */
        FunctionReward: {
            /**
             * @description A function of your own, in a process of its own. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            name: "function";
            /**
             * @description `file:function`; see the README of the trainer for how it is called.
             * @example rewards/score.py:score
             */
            function: string;
            /**
             * @description Seconds that one call, for the completions of one task, may take.
             * @default 60
             * @example 60
             */
            timeout: number;
            /**
             * @description Memory that its process may use, in MiB.
             * @default 2048
             * @example 2048
             */
            memory_mb: number;
            /**
             * @description When it cannot score a completion: `fail` ends the run; `skip` leaves the whole task out of the step, and counts it.
             * @default fail
             * @example skip
             * @enum {string}
             */
            on_failure: "fail" | "skip";
            /**
             * @description Factor in the sum of rewards.
             * @default 1
             * @example 1
             */
            weight: number;
        };
        /** @description A server scores. */
        HttpReward: {
            /**
             * @description A server scores: POST of `{completions, completion_ids, prompts, answers, columns}`. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            name: "http";
            /**
             * @description Where it listens.
             * @example http://127.0.0.1:9000/score
             */
            url: string;
            /**
             * @description Seconds to wait for an answer.
             * @default 30
             * @example 30
             */
            timeout: number;
            /**
             * @description How often it is asked again after a broken connection, a timeout, a 5xx, 408 or 429, waiting 0.5 s and twice as long each time, or as long as its Retry-After asks; a minute at most.
             * @default 4
             * @example 4
             */
            retries: number;
            /**
             * @description When it cannot score a completion: `fail` ends the run; `skip` leaves the whole task out of the step, and counts it.
             * @default fail
             * @example skip
             * @enum {string}
             */
            on_failure: "fail" | "skip";
            /**
             * @description Factor in the sum of rewards.
             * @default 1
             * @example 1
             */
            weight: number;
        };
        /** @description How it is trained. */
        TrainingSpec: {
            /**
             * @description Peak learning rate.
             * @default 0.00001
             * @example 0.00001
             */
            learning_rate: number;
            /**
             * @description Tasks (GRPO) or examples (SFT, DPO) per trainer GPU and step; the total is times the GPUs.
             * @default 4
             * @example 4
             */
            batch_size: number;
            /**
             * @description Batches summed into one optimizer step.
             * @default 1
             * @example 1
             */
            gradient_accumulation_steps: number;
            /**
             * @description Tokens that go through the model together: sequences of a batch are packed up to it, and a longer one goes alone. Less of it needs less memory.
             * @default 4096
             * @example 2048
             */
            micro_batch_tokens: number;
            /**
             * @description Keep the input of each layer alone and compute the rest again in the backward pass: less memory, a third more time, the same results.
             * @default false
             * @example true
             */
            gradient_checkpointing: boolean;
            /**
             * @description Optimizer steps, whatever `num_epochs` says; null trains for `num_epochs`.
             * @default null
             * @example 200
             */
            max_steps: number | null;
            /**
             * @description Passes over the training data when `max_steps` is null; a part of one counts by its steps, rounded up.
             * @default 1
             * @example 1
             */
            num_epochs: number;
            /**
             * @description Evaluate every so many steps, and after the last; 0 never evaluates. SFT and DPO 500, GRPO 200 by default.
             * @default 200
             * @example 50
             */
            eval_steps: number;
            /**
             * @description Write a row of the training log every so many steps.
             * @default 10
             * @example 10
             */
            logging_steps: number;
            /**
             * @description Save every `save_steps`, or at the end of each epoch.
             * @default steps
             * @example steps
             * @enum {string}
             */
            save_strategy: "steps" | "epoch";
            /**
             * @description Save a checkpoint every so many steps.
             * @default 100
             * @example 100
             */
            save_steps: number;
            /**
             * @description Checkpoints kept in `checkpoints/`; the best is kept besides.
             * @default 5
             * @example 5
             */
            save_total_limit: number;
            /**
             * @description Make the best checkpoint, not the last state, the model of the finished run.
             * @default false
             * @example true
             */
            load_best_model_at_end: boolean;
            /**
             * @description Recorded metric that decides the best checkpoint; null: GRPO `val_reward`, DPO `val_accuracy`, SFT `eval_loss`.
             * @default null
             * @example eval/accuracy
             */
            metric_for_best_model: string | null;
            /**
             * @description Direction of that metric; null: false for a loss, else true.
             * @default null
             * @example true
             */
            greater_is_better: boolean | null;
            /**
             * @description The run's tree on the host; null: `outputs/<run id>`.
             * @default null
             * @example outputs/grpo_cua
             */
            output_dir: string | null;
            /**
             * @description Do not continue from checkpoints found in `output_dir`; the old tree is moved aside.
             * @default false
             * @example false
             */
            start_fresh: boolean;
            /**
             * @description Learning rate after warm-up: it stays, or falls to 0 at the last step. SFT and DPO `cosine`, GRPO `constant` by default.
             * @default constant
             * @example constant
             * @enum {string}
             */
            lr_scheduler_type: "constant" | "linear" | "cosine";
            /**
             * @description Steps of linear warm-up from 0; null: as `warmup_ratio` says.
             * @default null
             * @example 10
             */
            warmup_steps: number | null;
            /**
             * @description The same as a share of all steps, rounded up; null: none. Not with `warmup_steps`. SFT 0.03, DPO 0.1 by default.
             * @default null
             * @example 0.03
             */
            warmup_ratio: number | null;
            /**
             * @description Decoupled weight decay of AdamW.
             * @default 0
             * @example 0.01
             */
            weight_decay: number;
            /**
             * @description AdamW beta 1.
             * @default 0.9
             * @example 0.9
             */
            adam_beta1: number;
            /**
             * @description AdamW beta 2.
             * @default 0.999
             * @example 0.999
             */
            adam_beta2: number;
            /**
             * @description AdamW epsilon.
             * @default 1e-8
             * @example 1e-8
             */
            adam_epsilon: number;
            /**
             * @description Gradients are scaled down to this global norm.
             * @default 1
             * @example 1
             */
            max_grad_norm: number;
            /**
             * @description Evaluate before training; null: as `RUN_BASELINE_EVAL` says, else true.
             * @default null
             * @example true
             */
            run_baseline_eval: boolean | null;
            /**
             * @description At most so many problems per evaluation; null: all of `val_data`.
             * @default null
             * @example 200
             */
            max_eval_samples: number | null;
            /**
             * @description Stop after so many evaluations without improvement; null: never.
             * @default null
             * @example 5
             */
            early_stopping_patience: number | null;
            /**
             * @description Stop once an evaluation reaches this accuracy; null: never.
             * @default null
             * @example 0.9
             */
            target_accuracy: number | null;
        };
        /** @description GRPO. */
        GrpoSpec: {
            /**
             * @description Variant: the mean over all tokens of a step (dapo), over completions (grpo), over accumulated batches (bnpo), over a constant and without the deviation (dr_grpo), the ratio of sequences (gspo), or capped weights (cispo).
             * @default dapo
             * @example dapo
             * @enum {string}
             */
            loss_type: "grpo" | "dr_grpo" | "dapo" | "bnpo" | "gspo" | "cispo";
            /**
             * @description Weight of the KL term to the reference (the model the run started from); 0 needs no reference.
             * @default 0
             * @example 0.05
             */
            kl_coef: number;
            /**
             * @description How far below 1 the probability ratio may fall; null: 0.2, gspo 3e-4. cispo has no lower bound.
             * @default null
             * @example 0.2
             */
            epsilon_low: number | null;
            /**
             * @description How far above 1 the probability ratio may rise (clip-higher, DAPO); null: 0.28, gspo 4e-4. In cispo the largest weight itself, null: 5.
             * @default null
             * @example 0.28
             */
            epsilon_high: number | null;
            /**
             * @description Bound the ratio around the policy before the step, and correct for what sampled by `mismatch_correction` (AReaL). False: the ratio is straight to what sampled, uncorrected.
             * @default true
             * @example true
             */
            use_decoupled_loss: boolean;
            /**
             * @description Against differences between trainer and server: truncated importance sampling per token, leaving out completions whose weight is above the cap, or off.
             * @default tis
             * @example tis
             * @enum {string}
             */
            mismatch_correction: "tis" | "sequence_mask" | "off";
            /**
             * @description Upper bound of that importance weight.
             * @default 2
             * @example 2
             */
            mismatch_cap: number;
            /**
             * @description Updates from the rollouts of a step; above 1 the ratio leaves 1 and is clipped.
             * @default 1
             * @example 1
             */
            num_iterations: number;
            /**
             * @description Replace groups whose rewards all agree by the next prompts, within the step (DAPO). A step then uses more data, so `num_epochs` is reached in more passes over it.
             * @default false
             * @example false
             */
            dynamic_sampling: boolean;
            /**
             * @description Rounds of that in a step at most, the first included; what then is missing is left out.
             * @default 4
             * @example 4
             */
            max_sampling_rounds: number;
            /**
             * @description Learn nothing from completions that were cut off at `rollout.max_new_tokens` (overlong filtering, DAPO); they still count in their group.
             * @default false
             * @example false
             */
            mask_truncated_completions: boolean;
            /**
             * @description Over the last so many tokens before `rollout.max_new_tokens` a completion loses reward (soft overlong punishment, DAPO); 0: never.
             * @default 0
             * @example 0
             */
            overlong_buffer_tokens: number;
            /**
             * @description What a completion of full length loses by that.
             * @default 1
             * @example 1
             */
            overlong_penalty: number;
        };
        /** @description DPO. */
        DpoSpec: {
            /**
             * @description Loss of a preference pair: sigmoid (DPO), ipo (of logprobs per token), hinge (SLiC).
             * @default sigmoid
             * @example sigmoid
             * @enum {string}
             */
            loss_type: "sigmoid" | "ipo" | "hinge";
            /**
             * @description Strength of the implicit KL constraint; tau of ipo.
             * @default 0.1
             * @example 0.1
             */
            beta: number;
        };
        /** @description SFT. */
        SftSpec: {
            /**
             * @description Fill each step with whole examples up to `batch_size` * `gradient_accumulation_steps` * `max_seq_length` tokens, instead of a fixed number of examples. Examples are never padded, joined or cut for it.
             * @default false
             * @example false
             */
            packing: boolean;
            /**
             * @description Learn the completion alone; false: the prompt as well, but its first token. Evaluations always measure the completion.
             * @default true
             * @example true
             */
            completion_only_loss: boolean;
        };
        /** @description Where it starts from, and what stays. */
        CheckpointSpec: {
            /**
             * @description Start from this checkpoint: `runs/<id>/<checkpoint>` or a path such as `outputs/grpo_cua/checkpoints/checkpoint-500`.
             * @default null
             * @example null
             */
            resume_from_checkpoint: string | null;
            /**
             * @description On resume start the data from its beginning instead of where it stopped.
             * @default false
             * @example false
             */
            ignore_data_skip: boolean;
            /**
             * @description How many of the checkpoints that were the best when they were saved stay, besides `save_total_limit`.
             * @default 1
             * @example 3
             */
            keep_best: number;
            /**
             * @description Keep each checkpoint whose step is a multiple of this, besides `save_total_limit`; null: none.
             * @default null
             * @example 500
             */
            keep_every: number | null;
        };
        /** @description How completions are made. */
        RolloutSpec: {
            /**
             * @description Completions per task, the GRPO group; 4 to 8 is usual, 1 learns nothing.
             * @default 4
             * @example 4
             */
            num_rollouts: number;
            /**
             * @description Turns of an episode at most.
             * @default 1
             * @example 15
             */
            max_turns: number;
            /**
             * @description Tasks in flight at a time.
             * @default 4
             * @example 4
             */
            concurrency: number;
            /**
             * @description Policy versions by which rollouts may be older than the policy that learns from them. 0: each step waits for its rollouts; 1 and more: rollouts go on while it is trained, up to so many steps ahead. A vLLM of your own then needs --max-loras 2 + max_staleness.
             * @default 0
             * @example 1
             */
            max_staleness: number;
            /**
             * @description Sampling temperature of rollouts; evaluation is greedy.
             * @default 1
             * @example 1
             */
            temperature: number;
            /**
             * @description Longest completion in tokens.
             * @default 256
             * @example 256
             */
            max_new_tokens: number;
        };
        /** @description What makes the rollouts. */
        InferenceSpec: {
            /**
             * @description What serves the model; null: vLLM on a host with GPUs, else the embedded server.
             * @default null
             * @example vllm
             */
            backend: ("vllm" | "embedded") | null;
            /**
             * @description The vLLM server.
             * @example {}
             */
            vllm?: components["schemas"]["VllmSpec"];
        };
        /** @default {} */
        VllmSpec: {
            /**
             * Format: uri
             * @description Base URL. The default means the server that Tandem manages; any other is external.
             * @default http://localhost:8000/v1
             * @example http://localhost:8000/v1
             */
            api_base: string;
            /**
             * @description Start the server with the run; null: when `api_base` is the default.
             * @default null
             * @example true
             */
            managed: boolean | null;
            /**
             * @description Seconds to wait for a completion while the server gets nothing done, and a tenth of the longest wait for one while it does; 300.0 is the remedy for slow servers.
             * @default 120
             * @example 300
             */
            timeout: number;
            /**
             * @description GPUs of one tensor-parallel group; null: as the GPU profile says.
             * @default null
             * @example 4
             */
            tensor_parallel_size: number | null;
            /**
             * @description Share of GPU memory vLLM takes; null: as the GPU profile says (0.85 in split). 0.7 is the remedy after out-of-memory.
             * @default null
             * @example 0.85
             */
            gpu_memory_utilization: number | null;
        };
        /** @description What is logged where. */
        LoggingSpec: {
            /**
             * @description Level of every component without a level of its own.
             * @default INFO
             */
            level: components["schemas"]["LogLevel"];
            /**
             * @description Write the log files of the run's tree.
             * @default true
             * @example true
             */
            log_to_file: boolean;
            /**
             * @description null: `<output_dir>/logs/training.log`.
             * @default null
             * @example outputs/grpo_cua/logs/training.log
             */
            log_file: string | null;
            /**
             * @description Write `rollouts.log`.
             * @default true
             * @example true
             */
            enable_detailed_logging: boolean;
            /**
             * @description null: `<output_dir>/logs/rollouts.log`.
             * @default null
             * @example outputs/grpo_cua/logs/rollouts.log
             */
            detailed_log_file: string | null;
            /**
             * @description Write `performance.log`.
             * @default true
             * @example true
             */
            log_performance: boolean;
            /**
             * @description null: `<output_dir>/logs/performance.log`.
             * @default null
             * @example outputs/grpo_cua/logs/performance.log
             */
            performance_log_file: string | null;
            /**
             * @description Level of rollouts; null: as `level`.
             * @default null
             * @example DEBUG
             */
            rollout_log_level: components["schemas"]["LogLevel"] | null;
            /**
             * @description Level of training; null: as `level`.
             * @default null
             * @example INFO
             */
            training_log_level: components["schemas"]["LogLevel"] | null;
            /**
             * @description Level of evaluation; null: as `level`.
             * @default null
             * @example INFO
             */
            eval_log_level: components["schemas"]["LogLevel"] | null;
            /**
             * @description Level of performance lines; null: as `level`.
             * @default null
             * @example INFO
             */
            performance_log_level: components["schemas"]["LogLevel"] | null;
            /**
             * @description A marker per step, its phases and a group summary; null: as `VERBOSE` says.
             * @default null
             * @example false
             */
            verbose: boolean | null;
        };
        /**
         * @description Severity.
         * @example INFO
         * @enum {string}
         */
        LogLevel: "DEBUG" | "INFO" | "WARNING" | "ERROR";
        /** @description Trackers. */
        MonitoringSpec: {
            /**
             * @description Send metrics to Weights & Biases.
             * @default false
             * @example true
             */
            enable_wandb: boolean;
            /**
             * @description null: `WANDB_PROJECT`.
             * @default null
             * @example cua-grpo
             */
            wandb_project: string | null;
            /**
             * @description W&B team or user.
             * @default null
             * @example your-entity
             */
            wandb_entity: string | null;
            /**
             * @description Name shown in W&B.
             * @default null
             * @example grpo-qwen3vl-32b
             */
            wandb_run_name: string | null;
            /**
             * @description W&B tags.
             * @default []
             * @example [
             *       "grpo"
             *     ]
             */
            wandb_tags: string[];
            /**
             * @description What a resume does in W&B. `new`: a new W&B run in the same group, on the same axis; `same`: it goes on in the one there is, and what it supersedes is overwritten.
             * @default new
             * @example new
             * @enum {string}
             */
            wandb_resume: "new" | "same";
            /**
             * @description Pins the W&B run; null: `WANDB_RUN_ID`.
             * @default null
             * @example null
             */
            wandb_run_id: string | null;
            /**
             * @description Always start a new W&B run on resume.
             * @default false
             * @example false
             */
            force_new_wandb_run: boolean;
            /**
             * @description Write TensorBoard event files.
             * @default false
             * @example true
             */
            enable_tensorboard: boolean;
            /**
             * @description null: `<output_dir>/tensorboard`.
             * @default null
             * @example outputs/grpo_cua/tensorboard
             */
            tensorboard_log_dir: string | null;
            /**
             * @description Send metrics to an MLflow server.
             * @default false
             * @example true
             */
            enable_mlflow: boolean;
            /**
             * @description null: `MLFLOW_TRACKING_URI`. What authorizes is sent to the server of that variable alone.
             * @default null
             * @example http://mlflow:5000
             */
            mlflow_tracking_uri: string | null;
            /**
             * @description null: `MLFLOW_EXPERIMENT_NAME`.
             * @default null
             * @example cua-grpo
             */
            mlflow_experiment: string | null;
            /**
             * @description Name shown in MLflow; null: the id of the run.
             * @default null
             * @example grpo-qwen3vl-32b
             */
            mlflow_run_name: string | null;
        };
        /** @description What happens by itself after a failure, and what counts as one. */
        RecoverySpec: {
            /**
             * @description Restarts after failures of the machine (killed, lost, hung, rebooted) without a new checkpoint in between.
             * @default 3
             * @example 3
             */
            max_restarts: number;
            /**
             * @description Restarts after the trainer's own errors, which a retry seldom helps, in all.
             * @default 0
             * @example 0
             */
            max_restarts_on_errors: number;
            /**
             * @description Wait before the first restart; doubled each time, at most ten minutes.
             * @default 5
             * @example 5
             */
            backoff_seconds: number;
            /**
             * @description A step without progress for so many times the median step of the attempt counts as hung.
             * @default 20
             * @example 20
             */
            hang_factor: number;
            /**
             * @description A step is never called hung before this, however short steps are.
             * @default 600
             * @example 600
             */
            hang_floor_seconds: number;
            /**
             * @description How long each phase may take.
             * @default {}
             * @example {
             *       "loading": 7200
             *     }
             */
            deadlines: components["schemas"]["DeadlinesSpec"];
        };
        /** @description Seconds each phase may take before the attempt is given up. */
        DeadlinesSpec: {
            /**
             * @description From the start of the inference server until it answers; null: as `TANDEM_START_TIMEOUT` says.
             * @default null
             * @example 600
             */
            starting_inference: number | null;
            /**
             * @description From the start of the trainer until its first report; null: as `TANDEM_START_TIMEOUT` says.
             * @default null
             * @example 600
             */
            starting_trainer: number | null;
            /**
             * @description Reading model, data and checkpoint.
             * @default 7200
             * @example 7200
             */
            loading: number;
            /**
             * @description Without progress in the first steps of an attempt, while no usual duration is known.
             * @default 14400
             * @example 14400
             */
            first_step: number;
            /**
             * @description Without progress within an evaluation.
             * @default 14400
             * @example 14400
             */
            evaluation: number;
            /**
             * @description Without progress while a checkpoint is saved, or at the end.
             * @default 7200
             * @example 7200
             */
            saving: number;
            /**
             * @description Without an answer of the inference server to its health check, while the trainer makes no progress; then it is started again.
             * @default 120
             * @example 120
             */
            inference_answer: number;
            /**
             * @description From a pause or cancel until SIGTERM; null: as `TANDEM_STOP_DEADLINE` says.
             * @default null
             * @example 120
             */
            stopping: number | null;
        };
        /**
         * @description Where a run is in its life.
         * @example running
         * @enum {string}
         */
        RunStatus: "queued" | "starting" | "running" | "stopping" | "paused" | "succeeded" | "failed" | "cancelled";
        /**
         * @description Id of a run.
         * @example run-7k3m9q2d
         */
        RunId: string;
        /** @description How to resume. */
        ResumeRequest: {
            /**
             * @description `latest`, `best`, `final`, `checkpoint-<step>`, `a<attempt>/checkpoint-<step>`, or a path of the run's tree.
             * @default latest
             * @example latest
             */
            from: string;
            /**
             * @description Keys of the run spec to change from here on.
             * @default {}
             * @example {
             *       "training": {
             *         "max_steps": 400
             *       }
             *     }
             */
            overrides: {
                [key: string]: unknown;
            };
            /**
             * @description Continue as a new run and leave this one as it is.
             * @default false
             * @example false
             */
            fork: boolean;
        };
        /** @description What to evaluate, and on what. */
        EvaluationRequest: {
            /**
             * @description What is evaluated: `runs/<id>/<checkpoint>`, `runs/<id>` for that run's best (else final, else latest), or a checkpoint's path in a run's tree. This or `model`.
             * @default null
             * @example runs/run-7k3m9q2d/best
             */
            checkpoint: string | null;
            /**
             * @description A model as it is, to compare with: a model directory, or a hub name. This or `checkpoint`.
             * @default null
             * @example null
             */
            model: string | null;
            /**
             * @description Data set to evaluate on, in the format of `data.val_data`.
             * @example data/test.jsonl
             */
            data: string;
            /**
             * @description How it is measured: `sft` the loss on the completions, `grpo` the rewards of greedy completions, `dpo` how often the chosen answer is preferred. null: as the checkpoint was trained, and `grpo` for a model.
             * @default null
             * @example grpo
             */
            method: components["schemas"]["Method"] | null;
            /**
             * @description A name for people.
             * @default null
             * @example addition-grpo
             */
            name: string | null;
            /**
             * @description Labels; null: those of the checkpoint's run.
             * @default null
             * @example {
             *       "team": "agents"
             *     }
             */
            labels: {
                [key: string]: string;
            } | null;
            /**
             * @description Higher starts earlier.
             * @default 50
             * @example 50
             */
            priority: number;
            /**
             * @description How the GPUs are divided between the roles; null: as for the checkpoint's run.
             * @default null
             * @example split-8
             */
            gpu_profile: string | null;
            /**
             * @description At most so many problems per evaluation; null: all of `val_data`.
             * @default null
             * @example 200
             */
            max_eval_samples: number | null;
            /**
             * @description Keys of the run spec that are to differ from those of the checkpoint's run (from the defaults, for a model).
             * @default {}
             * @example {
             *       "reward": [
             *         {
             *           "name": "numeric"
             *         }
             *       ],
             *       "rollout": {
             *         "max_new_tokens": 64
             *       }
             *     }
             */
            overrides: {
                [key: string]: unknown;
            };
        };
        /**
         * @description The part of the trainer that speaks.
         * @example training
         * @enum {string}
         */
        Component: "training" | "rollout" | "eval" | "performance";
        /** @description Levels to change. */
        LoggingChange: {
            /**
             * @description Level of rollouts.
             * @example DEBUG
             */
            rollout_log_level?: components["schemas"]["LogLevel"];
            /** @description Level of training. */
            training_log_level?: components["schemas"]["LogLevel"];
            /** @description Level of evaluation. */
            eval_log_level?: components["schemas"]["LogLevel"];
            /**
             * @description Level of performance lines.
             * @example WARNING
             */
            performance_log_level?: components["schemas"]["LogLevel"];
        };
        /** @description What to import. */
        ImportRequest: {
            /**
             * @description Checkpoint folder or output folder on this host, below one of TANDEM_DATA_ROOTS.
             * @example outputs/grpo_cua
             */
            path: string;
            /**
             * @description Run spec of the run that is made, or the part of it that the folder does not tell; at least `model.name` has to come from one of them.
             * @default {}
             * @example {
             *       "model": {
             *         "name": "models/tiny"
             *       }
             *     }
             */
            spec: {
                [key: string]: unknown;
            };
        };
        /** @description One numbered line from a trainer. */
        Record: components["schemas"]["MetricsRecord"] | components["schemas"]["LogRecord"] | components["schemas"]["ProgressRecord"] | components["schemas"]["EvaluationRecord"] | components["schemas"]["EventRecord"];
        MetricsRecord: {
            /**
             * @description Number of the record within its attempt, consecutive from 1.
             * @example 17
             */
            n: number;
            /**
             * Format: date-time
             * @description When it was written, UTC.
             * @example 2026-11-20T09:00:00.000Z
             */
            time: string;
            /**
             * @description Metrics of one step. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            kind: "metrics";
            /**
             * @description Optimizer step.
             * @example 100
             */
            step: number;
            /**
             * @description Passes over the data so far, fractional.
             * @example 0.5
             */
            epoch: number;
            /**
             * @description Training samples consumed so far, over all attempts.
             * @example 1600
             */
            samples: number;
            /**
             * @description Values by metric name.
             * @example {
             *       "train/loss": 0.234
             *     }
             */
            values: {
                [key: string]: number | ("NaN" | "Infinity" | "-Infinity");
            };
        };
        LogRecord: {
            /**
             * @description Number of the record within its attempt, consecutive from 1.
             * @example 17
             */
            n: number;
            /**
             * Format: date-time
             * @description When it was written, UTC.
             * @example 2026-11-20T09:00:00.000Z
             */
            time: string;
            /**
             * @description A log line. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            kind: "log";
            /** @description Who speaks. */
            component: components["schemas"]["Component"];
            level: components["schemas"]["LogLevel"];
            /**
             * @description The line.
             * @example Checkpoint saved: checkpoint-100
             */
            message: string;
            /**
             * @description Structured values beside it.
             * @example {
             *       "step": 100
             *     }
             */
            fields?: {
                [key: string]: unknown;
            };
        };
        ProgressRecord: {
            /**
             * @description Number of the record within its attempt, consecutive from 1.
             * @example 17
             */
            n: number;
            /**
             * Format: date-time
             * @description When it was written, UTC.
             * @example 2026-11-20T09:00:00.000Z
             */
            time: string;
            /**
             * @description Where the trainer is. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            kind: "progress";
            /**
             * @description What it is doing; `rollout`: it plays rollouts, or waits for them.
             * @example rollout
             * @enum {string}
             */
            phase: "loading" | "rollout" | "training" | "evaluation" | "saving" | "finishing";
            /**
             * @description Optimizer steps done.
             * @example 100
             */
            step: number;
            /**
             * @description Optimizer steps in all.
             * @example 1000
             */
            total_steps: number;
            /**
             * @description Passes over the data so far.
             * @example 0.5
             */
            epoch: number;
            /**
             * @description Training time so far, over all attempts.
             * @example 930
             */
            elapsed_seconds: number;
            /**
             * @description Estimated time left; null before the first step.
             * @example 8370
             */
            eta_seconds: number | null;
            /**
             * @description In an evaluation: problems that are done, of all.
             * @example {
             *       "done": 40,
             *       "total": 200
             *     }
             */
            evaluated?: components["schemas"]["Evaluated"];
            /**
             * @description With `rollout.max_staleness` above 0: what the rollouts do meanwhile.
             * @example {
             *       "state": "generating",
             *       "in_flight": 8,
             *       "buffered": 3
             *     }
             */
            rollouts?: components["schemas"]["RolloutsProgress"];
        };
        /** @description How far an evaluation has come. */
        Evaluated: {
            /**
             * @description Problems that are done.
             * @example 40
             */
            done: number;
            /**
             * @description Problems in all.
             * @example 200
             */
            total: number;
        };
        /** @description What rollouts do that go on while the policy is trained. */
        RolloutsProgress: {
            /**
             * @description `generating`; `waiting_for_trainer`: as many are done as the bound on staleness allows; `waiting_for_server`: the inference server has to be found again.
             * @example generating
             * @enum {string}
             */
            state: "generating" | "waiting_for_trainer" | "waiting_for_server";
            /**
             * @description Tasks that are being played.
             * @example 8
             */
            in_flight: number;
            /**
             * @description Tasks that are done and wait for the trainer.
             * @example 3
             */
            buffered: number;
        };
        EvaluationRecord: {
            /**
             * @description Number of the record within its attempt, consecutive from 1.
             * @example 17
             */
            n: number;
            /**
             * Format: date-time
             * @description When it was written, UTC.
             * @example 2026-11-20T09:00:00.000Z
             */
            time: string;
            /**
             * @description An evaluation. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            kind: "evaluation";
            evaluation: components["schemas"]["Evaluation"];
        };
        /** @description Statistics of one evaluation. */
        Evaluation: {
            /**
             * @description Optimizer step; -1 for the baseline.
             * @example 100
             */
            step: number;
            /**
             * @description Taken before training.
             * @example false
             */
            is_baseline: boolean;
            /**
             * @description Share of problems answered correctly.
             * @example 0.65
             */
            accuracy: number;
            /**
             * @description Problems answered correctly.
             * @example 130
             */
            correct_answers: number;
            /**
             * @description Problems evaluated.
             * @example 200
             */
            total_samples: number;
            /**
             * @description Problems in which an answer was attempted.
             * @example 198
             */
            attempted_answer?: number;
            /**
             * @description Mean reward.
             * @example 0.65
             */
            avg_reward: number;
            /**
             * @description Median reward.
             * @example 1
             */
            median_reward: number;
            /**
             * @description Population standard deviation of the rewards.
             * @example 0.477
             */
            std_reward: number;
            /**
             * @description Lowest reward.
             * @example 0
             */
            min_reward: number;
            /**
             * @description Highest reward.
             * @example 1
             */
            max_reward: number;
            /**
             * @description Mean rubric score.
             * @example 0.7
             */
            avg_score?: number;
            /**
             * @description Mean number of correct handles found.
             * @example 1.2
             */
            avg_hits?: number;
            /**
             * @description Problems in which the correct profile was found.
             * @example 12
             */
            found_correct_profile?: number;
            /**
             * @description Problems in which the correct profile was read.
             * @example 10
             */
            read_correct_profile?: number;
            /**
             * @description Mean number of turns.
             * @example 3.5
             */
            avg_turns?: number;
            /**
             * @description Mean number of searches.
             * @example 2.1
             */
            avg_search_attempts?: number;
            /**
             * @description Mean loss on the validation set: per target token (SFT), per preference pair (DPO).
             * @example 0.42
             */
            eval_loss?: number;
            /**
             * @description Mean margin of the implicit rewards, chosen less rejected (DPO); its rewards are the margins.
             * @example 0.8
             */
            reward_margin?: number;
            /**
             * @description Seconds the evaluation took.
             * @example 3.2
             */
            eval_time: number;
            /**
             * Format: date-time
             * @description When the baseline was taken.
             * @example 2026-11-20T09:00:00.000Z
             */
            timestamp?: string;
        };
        EventRecord: {
            /**
             * @description Number of the record within its attempt, consecutive from 1.
             * @example 17
             */
            n: number;
            /**
             * Format: date-time
             * @description When it was written, UTC.
             * @example 2026-11-20T09:00:00.000Z
             */
            time: string;
            /**
             * @description Something that happened once. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            kind: "event";
            /**
             * @description What happened.
             * @example resumed
             * @enum {string}
             */
            name: "started" | "resumed" | "checkpoint_rejected" | "save_failed" | "best_updated" | "finished" | "failed";
            /**
             * @description The same in words.
             * @example Resumed from step 40, epoch 0
             */
            message: string;
            /**
             * @description For `finished` and `failed`: an end reason.
             * @example nan_loss
             */
            reason?: string;
            /**
             * @description What the user can do.
             * @example Lower training.learning_rate.
             */
            remedy?: string;
            /**
             * @description Structured values beside it.
             * @example {
             *       "step": 40
             *     }
             */
            data?: {
                [key: string]: unknown;
            };
        };
        UploadRequest: {
            /**
             * @description Optimizer step of the checkpoint.
             * @example 40
             */
            step: number;
            /**
             * @description Its files.
             * @example [
             *       {
             *         "path": "optimizer.pt",
             *         "size": 10
             *       }
             *     ]
             */
            files: components["schemas"]["UploadFile"][];
        };
        UploadFile: {
            /**
             * @description Path inside the checkpoint.
             * @example model/adapter_model.safetensors
             */
            path: string;
            /**
             * @description Bytes.
             * @example 42624
             */
            size: number;
            /**
             * @description sha256 of the content, hexadecimal.
             * @example aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
             */
            sha256?: string;
            /**
             * @description How it is cut into parts that are sent, fetched and verified apart; absent for a file that goes as one.
             * @example {
             *       "size": 16777216,
             *       "sha256": [
             *         "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
             *       ]
             *     }
             */
            parts?: components["schemas"]["FileParts"];
        };
        FileParts: {
            /**
             * @description Bytes of each part but the last.
             * @example 16777216
             */
            size: number;
            /**
             * @description sha256 of each part, in order.
             * @example [
             *       "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
             *     ]
             */
            sha256: string[];
        };
        /** @description Makes uploaded files a checkpoint. */
        CheckpointCommit: {
            /**
             * @description Optimizer step of the state.
             * @example 100
             */
            step: number;
            /**
             * @description Why it was saved.
             * @example [
             *       "step",
             *       "best"
             *     ]
             */
            purposes: ("step" | "best" | "final" | "stop")[];
            /**
             * @description Which weights: how many updates the policy has had.
             * @example 100
             */
            policy_version: number;
            /**
             * @description Number of the last record that this state covers.
             * @example 412
             */
            record: number;
            /**
             * @description Passes over the data so far.
             * @example 0.5
             */
            epoch: number;
            /**
             * @description Best value so far of the metric that decides.
             * @example 0.65
             */
            best_metric: number | null;
            /**
             * @description Latest metrics.
             * @example {
             *       "loss": 0.234
             *     }
             */
            metrics: {
                [key: string]: number | ("NaN" | "Infinity" | "-Infinity");
            };
            /**
             * @description sha256 of what it was trained from: `model`, `tokenizer`, `train_data`; `reward` where it is a file.
             * @example {
             *       "model": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
             *     }
             */
            inputs: {
                [key: string]: string;
            };
            /**
             * @description Every file of the checkpoint.
             * @example [
             *       {
             *         "path": "optimizer.pt",
             *         "size": 10,
             *         "sha256": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
             *       }
             *     ]
             */
            files: components["schemas"]["CheckpointFile"][];
        };
        CheckpointFile: {
            /**
             * @description Path inside the checkpoint.
             * @example model/adapter_model.safetensors
             */
            path: string;
            /**
             * @description Bytes.
             * @example 42624
             */
            size: number;
            /**
             * @description sha256 of the content, hexadecimal.
             * @example aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
             */
            sha256: string;
            /**
             * @description How it is cut into parts that are sent, fetched and verified apart; absent for a file that goes as one.
             * @example {
             *       "size": 16777216,
             *       "sha256": [
             *         "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
             *       ]
             *     }
             */
            parts?: components["schemas"]["FileParts"];
        };
        /** @description What a submission would do. */
        DryRun: {
            /**
             * @description The resolved spec.
             * @example {
             *       "model": {
             *         "name": "Qwen/Qwen3-VL-32B-Instruct"
             *       }
             *     }
             */
            spec: components["schemas"]["RunSpecOutput"];
            /**
             * @description Older spellings that were used, and what they mean.
             * @example {
             *       "lora_r": "model.lora.r"
             *     }
             */
            renamed: {
                [key: string]: string;
            };
            /**
             * @description Hints; none stops the run.
             * @example []
             */
            warnings: string[];
            /**
             * @description Where it would run.
             * @example {
             *       "profile": "cpu",
             *       "roles": []
             *     }
             */
            placement: components["schemas"]["Placement"];
            /**
             * @description Its tree on the host.
             * @example outputs/<run id>
             */
            output_dir: string;
            /**
             * @description Checkpoint found in `output_dir` that it would continue from.
             * @example null
             */
            continues: string | null;
        };
        PlannedRole: {
            /**
             * @description Which of the pair.
             * @example trainer
             * @enum {string}
             */
            role: "inference" | "trainer";
            /**
             * @description GPU UUIDs that it would get now, or on an idle host where it would have to wait.
             * @example []
             */
            gpus: string[];
            /**
             * @description Program and arguments.
             * @example [
             *       "node",
             *       "trainer/main.js"
             *     ]
             */
            command: string[];
        };
        Placement: {
            /**
             * @description GPU profile.
             * @example cpu
             */
            profile: string;
            /**
             * @description What would be started, in order.
             * @example []
             */
            roles: components["schemas"]["PlannedRole"][];
        };
        /** @description What the user asked for; lives through many attempts. */
        Run: {
            /** @description Id. */
            id: components["schemas"]["RunId"];
            /**
             * @description Name for people.
             * @example addition-grpo
             */
            name: string | null;
            method: components["schemas"]["Method"];
            /** @description Whether it trains, or evaluates what was trained. */
            task: components["schemas"]["Task"];
            /** @description Where it is in its life. */
            status: components["schemas"]["RunStatus"];
            /** @description Why it is there. */
            reason: components["schemas"]["Reason"];
            /**
             * @description The same in words; for a failure with the remedy.
             * @example Training since 09:00:12.
             */
            message: string;
            /**
             * @description Labels.
             * @example {
             *       "team": "agents"
             *     }
             */
            labels: {
                [key: string]: string;
            };
            /**
             * @description Higher starts earlier.
             * @example 50
             */
            priority: number;
            /**
             * Format: date-time
             * @description When it was submitted.
             * @example 2026-11-20T09:00:00.000Z
             */
            created_at: string;
            /**
             * @description When its first attempt started.
             * @example 2026-11-20T09:00:00.000Z
             */
            started_at: string | null;
            /**
             * @description When it ended.
             * @example 2026-11-20T09:00:00.000Z
             */
            ended_at: string | null;
            /**
             * @description What it continues, as `<run>/<checkpoint>`.
             * @example run-1a2b3c4d/checkpoint-700
             */
            parent: string | null;
            /**
             * @description Its tree on the host.
             * @example outputs/run-7k3m9q2d
             */
            output_dir: string;
            /**
             * @description The latest progress that was reported.
             * @example null
             */
            progress: components["schemas"]["Progress"] | null;
            /**
             * @description Why it is not running yet; null unless queued.
             * @example null
             */
            waiting: components["schemas"]["Waiting"] | null;
            /**
             * @description The newest evaluation.
             * @example null
             */
            latest_evaluation: components["schemas"]["Evaluation"] | null;
            /**
             * @description Hints about the spec; none of them stops the run.
             * @example [
             *       "rollout.num_rollouts 1: a group of one has no variance, so nothing is learned"
             *     ]
             */
            warnings: string[];
            /**
             * @description Its lives, oldest first.
             * @example []
             */
            attempts: components["schemas"]["Attempt"][];
            /**
             * @description Restarts that happened by themselves, and why.
             * @example {
             *       "after_failures": 0,
             *       "after_errors": 0,
             *       "attempt": null,
             *       "reason": null,
             *       "message": null,
             *       "next_at": null
             *     }
             */
            restarts: components["schemas"]["Restarts"];
            /**
             * @description What the name of its model meant when it was submitted, and means for it still when it is resumed; of a run on an adapter its base model. Null for a model that is not fetched.
             * @example {
             *       "kind": "hub",
             *       "repo": "Qwen/Qwen3-0.6B",
             *       "revision": "main",
             *       "commit": "c1899de289a04d12100db370d81485cdf75e47ca"
             *     }
             */
            model_origin: components["schemas"]["ModelOrigin"] | null;
            /**
             * @description The resolved spec.
             * @example {
             *       "model": {
             *         "name": "Qwen/Qwen3-VL-32B-Instruct"
             *       }
             *     }
             */
            spec: components["schemas"]["RunSpecOutput"];
        };
        /**
         * @description Why a run or an attempt is where it is.
         * @example training
         * @enum {string}
         */
        Reason: "submitted" | "imported" | "resumed" | "pause_requested" | "paused" | "cancel_requested" | "cancelled" | "waiting_for_slot" | "waiting_for_gpus" | "waiting_to_restart" | "fetching_model" | "preempted" | "starting_inference" | "starting_trainer" | "training" | "completed" | "early_stopped" | "target_accuracy_reached" | "invalid_model" | "invalid_data" | "invalid_checkpoint" | "invalid_spec" | "reward_error" | "nan_loss" | "installation_broken" | "user_error" | "oom_gpu" | "oom_host" | "trainer_killed" | "trainer_lost" | "trainer_crashed" | "inference_failed" | "start_timeout" | "ready_timeout" | "image_unavailable" | "gpu_unavailable" | "stop_timeout" | "host_rebooted" | "disk_full" | "load_timeout" | "hang" | "evaluation_timeout" | "save_timeout" | "nccl" | "vllm_unhealthy" | "model_unavailable" | "control_plane_error";
        Progress: {
            /**
             * @description What the trainer is doing; `rollout`: it plays rollouts, or waits for them.
             * @example rollout
             * @enum {string}
             */
            phase: "loading" | "rollout" | "training" | "evaluation" | "saving" | "finishing";
            /**
             * @description Optimizer steps done.
             * @example 100
             */
            step: number;
            /**
             * @description Optimizer steps in all.
             * @example 1000
             */
            total_steps: number;
            /**
             * @description Passes over the data so far.
             * @example 0.5
             */
            epoch: number;
            /**
             * @description Training time so far.
             * @example 930
             */
            elapsed_seconds: number;
            /**
             * @description Estimated time left.
             * @example 8370
             */
            eta_seconds: number | null;
            /**
             * @description Problems of the evaluation under way, where the trainer counts them.
             * @example null
             */
            evaluated: components["schemas"]["Evaluated"] | null;
            /**
             * @description What the rollouts do, where they go on while the policy is trained; null where each step waits for its own, and while no trainer runs.
             * @example {
             *       "state": "generating",
             *       "in_flight": 8,
             *       "buffered": 3
             *     }
             */
            rollouts: components["schemas"]["RolloutsProgress"] | null;
        };
        Waiting: {
            /**
             * @description Place in the queue, from 1.
             * @example 2
             */
            position: number;
            /**
             * @description What it waits for, in numbers.
             * @example needs 1 slot, 0 of 1 free; behind run-1a2b3c4d
             */
            why: string;
        };
        /** @description One life of the trainer. */
        Attempt: {
            /**
             * @description Counts from 1.
             * @example 2
             */
            number: number;
            /**
             * @description Checkpoint it started from, as `<run>/a<attempt>/checkpoint-<step>`; null from the beginning.
             * @example run-7k3m9q2d/a1/checkpoint-40
             */
            resumed_from: string | null;
            /**
             * @description Step of that checkpoint.
             * @example 40
             */
            resumed_step: number | null;
            /**
             * @description When its first program was started.
             * @example 2026-11-20T09:00:00.000Z
             */
            started_at: string | null;
            /**
             * @description When its trainer had ended.
             * @example 2026-11-20T09:00:00.000Z
             */
            ended_at: string | null;
            /**
             * @description Why it ended; null while it lasts.
             * @example trainer_killed
             */
            reason: components["schemas"]["Reason"] | null;
            /**
             * @description The same in words, with the remedy.
             * @example The trainer was killed by signal 9.
             */
            message: string | null;
            /**
             * @description Its programs.
             * @example []
             */
            roles: components["schemas"]["AttemptRole"][];
            /**
             * @description What its trainer computes on; null until it has said so.
             * @example {
             *       "name": "wasm",
             *       "version": "4.22.0",
             *       "reason": "no TensorFlow is installed"
             *     }
             */
            engine: components["schemas"]["AttemptEngine"] | null;
        };
        AttemptRole: {
            /** @description Which of the pair. */
            role: components["schemas"]["Role"];
            /**
             * @description What was last seen of it.
             * @example ready
             * @enum {string}
             */
            state: "starting" | "ready" | "exited" | "lost";
            /**
             * @description Exit code once exited; null while it runs and when it is lost.
             * @example 0
             */
            exit_code: number | null;
            /**
             * @description Process id under the process runtime.
             * @example 4242
             */
            pid: number | null;
        };
        /**
         * @description One of the pair.
         * @example trainer
         * @enum {string}
         */
        Role: "inference" | "trainer";
        /** @description What a trainer computes on. */
        AttemptEngine: {
            /**
             * @description `wasm`, `node` (TensorFlow on processor cores) or `gpu` (TensorFlow on a GPU) of Tandem's own trainer; of another one what it calls it.
             * @example node
             */
            name: string;
            /**
             * @description Of what computes: tfjs for `wasm`, TensorFlow for the others.
             * @example 2.21.0
             */
            version: string | null;
            /**
             * @description Why it is this one: `TANDEM_TF=…` where it was asked for, else what the machine has.
             * @example TensorFlow is installed, and no GPU was given
             */
            reason: string | null;
        };
        /** @description What it was restarted for, since a user last started or resumed it. */
        Restarts: {
            /**
             * @description Restarts after failures of the machine since it last saved a checkpoint that moved it forward.
             * @example 1
             */
            after_failures: number;
            /**
             * @description Restarts after the trainer's own errors.
             * @example 0
             */
            after_errors: number;
            /**
             * @description The attempt whose end led to the latest restart; null: none did.
             * @example 1
             */
            attempt: number | null;
            /**
             * @description Why that attempt ended.
             * @example trainer_killed
             */
            reason: components["schemas"]["Reason"] | null;
            /**
             * @description The same in words.
             * @example The trainer was killed by signal 9.
             */
            message: string | null;
            /**
             * @description When it starts again, while it waits for that.
             * @example null
             */
            next_at: string | null;
        };
        /** @description Where a model was fetched from. */
        ModelOrigin: components["schemas"]["HubModelOrigin"] | components["schemas"]["StoreModelOrigin"];
        HubModelOrigin: {
            /**
             * @description A model hub. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            kind: "hub";
            /**
             * @description Its name there.
             * @example Qwen/Qwen3-0.6B
             */
            repo: string;
            /**
             * @description As the run was submitted with: branch, tag or commit.
             * @example main
             */
            revision: string;
            /**
             * @description What that meant then; the run keeps it.
             * @example c1899de289a04d12100db370d81485cdf75e47ca
             */
            commit: string;
        };
        StoreModelOrigin: {
            /**
             * @description The object store. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            kind: "store";
            /**
             * @description Where its objects lie.
             * @example models/mine
             */
            prefix: string;
            /**
             * @description Of their names, sizes and stated hashes.
             * @example dddddddddddddddddddddddddddddddddddddddd
             */
            digest: string;
        };
        /** @description An error, by RFC 9457. */
        Problem: {
            /**
             * @description Stable name of the problem, a URN.
             * @example urn:tandem:problem:invalid-spec
             */
            type: string;
            /**
             * @description The kind of problem; always the same for a type.
             * @example The run spec is not valid
             */
            title: string;
            /**
             * @description HTTP status.
             * @example 422
             */
            status: number;
            /**
             * @description What is wrong, where, and the remedy.
             * @example training.batch_sise: unknown key; did you mean training.batch_size?
             */
            detail: string;
            /**
             * @description Id of this occurrence, also in the log of the control plane.
             * @example urn:uuid:2a7ad3d0-6f35-4f6c-9d0e-6f6a3c1fb0a1
             */
            instance: string;
            /**
             * @description Everything that is wrong with the document, when there is more to say than `detail` does.
             * @example [
             *       {
             *         "path": "training.batch_sise",
             *         "message": "unknown key; did you mean training.batch_size?"
             *       }
             *     ]
             */
            issues?: components["schemas"]["Issue"][];
        };
        Issue: {
            /**
             * @description Where in the document.
             * @example training.batch_sise
             */
            path: string;
            /**
             * @description What is wrong there.
             * @example unknown key; did you mean training.batch_size?
             */
            message: string;
        };
        RunPage: {
            /**
             * @description Newest first.
             * @example []
             */
            runs: components["schemas"]["RunSummary"][];
            /**
             * @description Cursor of the next page; null on the last.
             * @example null
             */
            next: string | null;
        };
        /** @description A run in a list. */
        RunSummary: {
            /** @description Id. */
            id: components["schemas"]["RunId"];
            /**
             * @description Name for people.
             * @example addition-grpo
             */
            name: string | null;
            method: components["schemas"]["Method"];
            /** @description Whether it trains, or evaluates what was trained. */
            task: components["schemas"]["Task"];
            /** @description Where it is in its life. */
            status: components["schemas"]["RunStatus"];
            /** @description Why it is there. */
            reason: components["schemas"]["Reason"];
            /**
             * @description The same in words; for a failure with the remedy.
             * @example Training since 09:00:12.
             */
            message: string;
            /**
             * @description Labels.
             * @example {
             *       "team": "agents"
             *     }
             */
            labels: {
                [key: string]: string;
            };
            /**
             * @description Higher starts earlier.
             * @example 50
             */
            priority: number;
            /**
             * Format: date-time
             * @description When it was submitted.
             * @example 2026-11-20T09:00:00.000Z
             */
            created_at: string;
            /**
             * @description When its first attempt started.
             * @example 2026-11-20T09:00:00.000Z
             */
            started_at: string | null;
            /**
             * @description When it ended.
             * @example 2026-11-20T09:00:00.000Z
             */
            ended_at: string | null;
            /**
             * @description What it continues, as `<run>/<checkpoint>`.
             * @example run-1a2b3c4d/checkpoint-700
             */
            parent: string | null;
            /**
             * @description Its tree on the host.
             * @example outputs/run-7k3m9q2d
             */
            output_dir: string;
            /**
             * @description The latest progress that was reported.
             * @example null
             */
            progress: components["schemas"]["Progress"] | null;
            /**
             * @description Why it is not running yet; null unless queued.
             * @example null
             */
            waiting: components["schemas"]["Waiting"] | null;
            /**
             * @description The newest evaluation.
             * @example null
             */
            latest_evaluation: components["schemas"]["Evaluation"] | null;
            /**
             * @description Hints about the spec; none of them stops the run.
             * @example [
             *       "rollout.num_rollouts 1: a group of one has no variance, so nothing is learned"
             *     ]
             */
            warnings: string[];
        };
        EventPage: {
            /**
             * @description Oldest first.
             * @example []
             */
            events: components["schemas"]["RunEvent"][];
        };
        /** @description What happened to a run and why. */
        RunEvent: {
            /**
             * @description Number within the run; also the SSE id.
             * @example 12
             */
            id: number;
            /**
             * Format: date-time
             * @description When.
             * @example 2026-11-20T09:00:00.000Z
             */
            time: string;
            /**
             * @description What happened.
             * @example status_changed
             * @enum {string}
             */
            name: "status_changed" | "attempt_started" | "attempt_ended" | "role_started" | "role_ready" | "role_exited" | "checkpoint_committed" | "checkpoint_deleted" | "checkpoint_pinned" | "checkpoint_unpinned" | "checkpoint_rejected" | "save_failed" | "evaluated" | "best_updated" | "resumed" | "gpus_leased" | "gpus_released" | "gpu_quarantined" | "gpu_trouble" | "preempted" | "model_fetching" | "model_fetched" | "model_removed" | "warning";
            /**
             * @description Who made it happen.
             * @example control_plane
             * @enum {string}
             */
            actor: "user" | "control_plane" | "trainer";
            /**
             * @description Attempt it belongs to.
             * @example 1
             */
            attempt: number | null;
            /**
             * @description New status, for `status_changed`.
             * @example running
             */
            status: components["schemas"]["RunStatus"] | null;
            /**
             * @description Why.
             * @example training
             */
            reason: components["schemas"]["Reason"] | null;
            /**
             * @description In words.
             * @example starting -> running: the trainer has reported.
             */
            message: string;
            /**
             * @description Structured values beside it.
             * @example {
             *       "step": 40
             *     }
             */
            data: {
                [key: string]: unknown;
            };
        };
        LogPage: {
            /**
             * @description Oldest first.
             * @example []
             */
            lines: components["schemas"]["LogLine"][];
        };
        LogLine: {
            /**
             * @description Attempt.
             * @example 1
             */
            attempt: number;
            /**
             * @description Number of the record within its attempt, consecutive from 1.
             * @example 17
             */
            n: number;
            /**
             * Format: date-time
             * @description When it was written, UTC.
             * @example 2026-11-20T09:00:00.000Z
             */
            time: string;
            /**
             * @description A log line.
             * @example log
             * @constant
             */
            kind: "log";
            /** @description Who speaks. */
            component: components["schemas"]["Component"];
            level: components["schemas"]["LogLevel"];
            /**
             * @description The line.
             * @example Checkpoint saved: checkpoint-100
             */
            message: string;
            /**
             * @description Structured values beside it.
             * @example {
             *       "step": 100
             *     }
             */
            fields?: {
                [key: string]: unknown;
            };
        };
        Metrics: {
            /**
             * @description By name.
             * @example []
             */
            series: components["schemas"]["Series"][];
        };
        Series: {
            /**
             * @description Metric.
             * @example train/loss
             */
            name: string;
            /**
             * @description Unit of its values; null for another program's own.
             * @example 1
             */
            unit: string | null;
            /**
             * @description What it means; null as the unit.
             * @example Mean reward.
             */
            description: string | null;
            /**
             * @description Steps.
             * @example [
             *       10,
             *       20
             *     ]
             */
            steps: number[];
            /**
             * @description Values, one per step.
             * @example [
             *       0.5,
             *       0.4
             *     ]
             */
            values: (number | ("NaN" | "Infinity" | "-Infinity"))[];
        };
        EvaluationList: {
            /**
             * @description By step.
             * @example []
             */
            evaluations: components["schemas"]["Evaluation"][];
        };
        /** @description `training_log.json`; what was best stands beside, by the method. */
        TrainingLog: {
            /**
             * @description What was trained how, by the scripts' names.
             * @example {
             *       "batch_size": 4
             *     }
             */
            config: {
                [key: string]: unknown;
            };
            /**
             * @description By step.
             * @example [
             *       {
             *         "step": 10,
             *         "epoch": 0.5,
             *         "loss": 0.234,
             *         "learning_rate": 0.00001
             *       }
             *     ]
             */
            train_history: {
                [key: string]: number | string | null;
            }[];
            /**
             * @description By step; empty without evaluations.
             * @example [
             *       {
             *         "step": 100,
             *         "epoch": 1,
             *         "eval_loss": 0.21
             *       }
             *     ]
             */
            val_history: {
                [key: string]: number | string | null;
            }[];
        } & {
            [key: string]: unknown;
        };
        /** @description Several runs side by side. */
        Comparison: {
            /**
             * @description In the order they were asked for.
             * @example []
             */
            runs: components["schemas"]["ComparedRun"][];
            /**
             * @description Those that differ come first.
             * @example []
             */
            settings: components["schemas"]["ComparedSetting"][];
        };
        ComparedRun: {
            /** @description The run. */
            id: components["schemas"]["RunId"];
            /**
             * @description Its id and name.
             * @example run-7k3m9q2d addition
             */
            title: string;
            method: components["schemas"]["Method"];
            /**
             * @description Its best checkpoint, as the training log has it; null before the first.
             * @example {
             *       "step": 80,
             *       "epoch": 1.6,
             *       "samples": 1280,
             *       "val_reward": 0.91,
             *       "path": "outputs/run-7k3m9q2d/best_model"
             *     }
             */
            best: {
                [key: string]: unknown;
            } | null;
            /**
             * @description By key of the histories of its training log: `loss`, `val_reward`.
             * @example {}
             */
            statistics: {
                [key: string]: components["schemas"]["Statistics"];
            };
        };
        /** @description What a measure did over a run. */
        Statistics: {
            /**
             * @description Entries.
             * @example 150
             */
            count: number;
            /**
             * @description Those of them that have no finite number.
             * @example 0
             */
            not_finite: number;
            /**
             * @description First value.
             * @example 1.92
             */
            first: number | null;
            /**
             * @description Last value.
             * @example 0.41
             */
            last: number | null;
            /**
             * @description Mean.
             * @example 0.78
             */
            mean: number | null;
            /**
             * @description Variance of the sample; null below two values.
             * @example 0.12
             */
            variance: number | null;
            /**
             * @description Lowest value.
             * @example 0.39
             */
            min: number | null;
            /**
             * @description Highest value.
             * @example 2.01
             */
            max: number | null;
            /**
             * @description The lowest or the highest, as the measure has it; null where neither is better.
             * @example {
             *       "step": 1200,
             *       "value": 0.39
             *     }
             */
            best: components["schemas"]["BestValue"] | null;
            /**
             * @description A line through the later half of the steps, by least squares; null when there are too few entries.
             * @example {
             *       "per_1000_steps": -0.031,
             *       "direction": "falling",
             *       "from_step": 760
             *     }
             */
            trend: components["schemas"]["Trend"] | null;
        };
        BestValue: {
            /**
             * @description Where.
             * @example 1200
             */
            step: number;
            /**
             * @description What.
             * @example 0.39
             */
            value: number;
        };
        Trend: {
            /**
             * @description What the value gains in 1000 steps.
             * @example -0.031
             */
            per_1000_steps: number;
            /**
             * @description `flat` when the slope is within twice its standard error.
             * @example falling
             * @enum {string}
             */
            direction: "rising" | "falling" | "flat";
            /**
             * @description From which step on it was looked at.
             * @example 760
             */
            from_step: number;
        };
        ComparedSetting: {
            /**
             * @description Key of the resolved spec.
             * @example training.learning_rate
             */
            key: string;
            /**
             * @description Its value in each run, null where a run has none.
             * @example [
             *       0.00001,
             *       0.00003
             *     ]
             */
            values: unknown[];
            /**
             * @description Whether the runs differ in it.
             * @example true
             */
            differs: boolean;
        };
        TrackerList: {
            /**
             * @description One for each that is on.
             * @example []
             */
            trackers: components["schemas"]["TrackerStatus"][];
        };
        /** @description How far a tracker is with a run. */
        TrackerStatus: {
            /**
             * @description Which tracker.
             * @example wandb
             * @enum {string}
             */
            kind: "wandb" | "tensorboard" | "mlflow";
            /**
             * @description `waiting`: nothing to show yet; `live`: follows the run; `behind`: could not be reached, tried again; `refused`: needs a change of settings; `finished`: the run has ended and it holds everything.
             * @example live
             * @enum {string}
             */
            state: "waiting" | "live" | "behind" | "refused" | "finished";
            /**
             * @description How a resume is shown: in a new run of the tracker, or in the same one. null: the tracker has no runs.
             * @example new
             */
            mode: ("new" | "same") | null;
            /**
             * @description Id of the run there; null before it is made.
             * @example run-7k3m9q2d
             */
            run_id: string | null;
            /**
             * @description Its name there.
             * @example grpo-qwen3vl-32b
             */
            run_name: string | null;
            /**
             * @description Project or experiment it lies in.
             * @example your-entity/cua-grpo
             */
            project: string | null;
            /**
             * @description Where people look at it; for files, their directory.
             * @example http://127.0.0.1:8082/your-entity/cua-grpo/runs/run-7k3m9q2d
             */
            url: string | null;
            /**
             * @description Step of the newest row that it has.
             * @example 120
             */
            last_step: number | null;
            /**
             * @description Record it has come to, as `<attempt>:<number>`.
             * @example 2:417
             */
            last_record: string | null;
            /**
             * @description Records of the run that it has not come to.
             * @example 0
             */
            backlog: number;
            /**
             * @description When it last took something.
             * @example 2026-11-20T09:00:00.000Z
             */
            last_sent_at: string | null;
            /**
             * @description What went wrong since it last took something.
             * @example null
             */
            last_error: components["schemas"]["TrackerError"];
        };
        TrackerError: {
            /**
             * Format: date-time
             * @description When.
             * @example 2026-11-20T09:00:00.000Z
             */
            time: string;
            /**
             * @description What went wrong, and what helps.
             * @example W&B answered 503; it is tried again.
             */
            message: string;
        } | null;
        CheckpointList: {
            /**
             * @description Newest first.
             * @example []
             */
            checkpoints: components["schemas"]["Checkpoint"][];
        };
        /** @description A stored checkpoint. */
        Checkpoint: {
            /**
             * @description Name on the run's lineage, or `a<attempt>/checkpoint-<step>` when off it.
             * @example checkpoint-100
             */
            name: string;
            /**
             * @description Attempt that saved it.
             * @example 1
             */
            attempt: number;
            /**
             * @description Optimizer step.
             * @example 100
             */
            step: number;
            /**
             * @description Other names it answers to.
             * @example [
             *       "latest",
             *       "best"
             *     ]
             */
            aliases: ("latest" | "best" | "final")[];
            /**
             * @description Why it was saved.
             * @example [
             *       "step"
             *     ]
             */
            purposes: ("step" | "best" | "final" | "stop")[];
            /**
             * @description Whether the current attempt descends from it.
             * @example true
             */
            on_lineage: boolean;
            /**
             * @description Which weights.
             * @example 100
             */
            policy_version: number;
            /**
             * @description Bytes of all its files.
             * @example 1234567
             */
            size: number;
            /**
             * Format: date-time
             * @description When it was committed.
             * @example 2026-11-20T09:00:00.000Z
             */
            created_at: string;
            /**
             * @description Metrics at its step.
             * @example {
             *       "loss": 0.234
             *     }
             */
            metrics: {
                [key: string]: number | ("NaN" | "Infinity" | "-Infinity");
            };
            /**
             * @description Whether a user has pinned it; retention never deletes what is pinned.
             * @example false
             */
            pinned: boolean;
            /**
             * @description Checkpoint that its attempt resumed from, as `<run>/a<attempt>/checkpoint-<step>` or a folder; null from the beginning.
             * @example run-7k3m9q2d/a1/checkpoint-40
             */
            parent: string | null;
            /**
             * @description Its files.
             * @example [
             *       {
             *         "path": "optimizer.pt",
             *         "size": 10,
             *         "sha256": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
             *       }
             *     ]
             */
            files: components["schemas"]["CheckpointFile"][];
        };
        /** @description What retention keeps and removes. */
        RetentionReport: {
            /**
             * @description Whether nothing was changed.
             * @example true
             */
            dry_run: boolean;
            /**
             * @description What stays.
             * @example []
             */
            keep: components["schemas"]["RetentionVerdict"][];
            /**
             * @description What goes, in that order.
             * @example []
             */
            remove: components["schemas"]["RetentionVerdict"][];
            /**
             * @description Unfinished uploads and files without a manifest that go.
             * @example []
             */
            sweep: components["schemas"]["SweepVerdict"][];
        };
        RetentionVerdict: {
            /**
             * @description Checkpoint, as `a<attempt>/checkpoint-<step>`.
             * @example a1/checkpoint-40
             */
            name: string;
            /**
             * @description Bytes of all its files.
             * @example 1234567
             */
            size: number;
            /**
             * @description Which rule keeps it, or that none does.
             * @example among the newest 5 (save_total_limit)
             */
            why: string;
        };
        SweepVerdict: {
            /**
             * @description Upload that never became a checkpoint.
             * @example a1/checkpoint-45
             */
            name: string;
            /**
             * @description Why it goes now.
             * @example its attempt is over
             */
            why: string;
        };
        /** @description How a checkpoint is served. */
        CheckpointExport: {
            /**
             * @description What is exported.
             * @example run-7k3m9q2d/a1/checkpoint-100
             */
            checkpoint: string;
            /**
             * @description Name under which it is served.
             * @example run-7k3m9q2d-a1-checkpoint-100
             */
            name: string;
            /**
             * @description An adapter on a base model, or a model of its own.
             * @example adapter
             * @enum {string}
             */
            kind: "adapter" | "model";
            /**
             * @description Model that the adapter belongs on: a hub name, or its directory on the host of Tandem; null for a model of its own.
             * @example Qwen/Qwen3-VL-32B-Instruct
             */
            base_model: string | null;
            /**
             * @description Rank and scale of the adapter; null for a model of its own.
             * @example {
             *       "r": 16,
             *       "alpha": 32
             *     }
             */
            lora: {
                /**
                 * @description Rank of the LoRA matrices. 8, 16 or 32 by memory; 16 to 8 is a remedy for CUDA out of memory.
                 * @default 16
                 * @example 16
                 */
                r: number;
                /**
                 * @description LoRA scale; the update is multiplied by alpha / r.
                 * @default 32
                 * @example 32
                 */
                alpha: number;
            } | null;
            /**
             * @description Longest sequence in tokens that it was trained with.
             * @example 16384
             */
            max_model_len: number;
            /**
             * @description Where the command expects the files.
             * @example ./run-7k3m9q2d-a1-checkpoint-100
             */
            directory: string;
            /**
             * @description What is needed to serve it.
             * @example []
             */
            files: components["schemas"]["ExportedFile"][];
            /**
             * @description The command that serves it with vLLM, as arguments.
             * @example [
             *       "vllm",
             *       "serve",
             *       "Qwen/Qwen3-VL-32B-Instruct",
             *       "--enable-lora"
             *     ]
             */
            command: string[];
            /**
             * @description The same for a shell.
             * @example vllm serve Qwen/Qwen3-VL-32B-Instruct --enable-lora --max-lora-rank 16 --lora-modules run-7k3m9q2d-a1-checkpoint-100=./run-7k3m9q2d-a1-checkpoint-100
             */
            command_line: string;
            /**
             * @description What to know before it is served.
             * @example []
             */
            notes: string[];
        };
        ExportedFile: {
            /**
             * @description Where it goes in the directory that is served.
             * @example adapter_model.safetensors
             */
            path: string;
            /**
             * @description Bytes.
             * @example 42624
             */
            size: number;
            /**
             * @description sha256 of the content, hexadecimal.
             * @example aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
             */
            sha256: string;
            /**
             * @description Where its bytes are, relative to this API.
             * @example /runs/run-7k3m9q2d/checkpoints/a1%2Fcheckpoint-100/files/model/adapter_model.safetensors
             */
            url: string;
        };
        /** @description What an import made. */
        ImportReport: {
            /**
             * @description The run that was made; null with `dry_run`.
             * @example run-7k3m9q2d
             */
            run: components["schemas"]["RunId"] | null;
            /**
             * @description Checkpoints, oldest first.
             * @example []
             */
            imported: components["schemas"]["ImportedCheckpoint"][];
            /**
             * @description How many rows of the training log, evaluations and backups were taken over.
             * @example {
             *       "train_history": 150,
             *       "evaluations": 5
             *     }
             */
            records: {
                [key: string]: number;
            };
            /**
             * @description What was left out, and why.
             * @example []
             */
            skipped: components["schemas"]["SkippedImport"][];
        };
        ImportedCheckpoint: {
            /**
             * @description Checkpoint that was made.
             * @example checkpoint-40
             */
            name: string;
            /**
             * @description Folder it comes from.
             * @example outputs/grpo_cua/checkpoints/checkpoint-40
             */
            from: string;
            /**
             * @description `tandem`, `peft`, `hf-trainer`, `samples` or `model-pt`: which layout was recognised.
             * @example hf-trainer
             */
            layout: string;
            /**
             * @description Bytes.
             * @example 1234567
             */
            size: number;
            /**
             * @description What a checkpoint has and this one lacks; it starts afresh.
             * @example [
             *       "optimizer.pt"
             *     ]
             */
            missing: string[];
        };
        SkippedImport: {
            /**
             * @description What was left out.
             * @example outputs/grpo_cua/checkpoints/checkpoint-50
             */
            from: string;
            /**
             * @description Why, and what would help.
             * @example holds no weights
             */
            why: string;
        };
        /** @description The GPUs of the host, how they are linked, and how they are. */
        GpuInventory: {
            /**
             * @description Where it comes from: `nvidia-smi`, the file that TANDEM_GPUS names, or nowhere because the host has none.
             * @example nvidia
             * @enum {string}
             */
            source: "nvidia" | "file" | "none";
            /**
             * @description Whether runs can have any of these GPUs; false where there are none, or CUDA_VISIBLE_DEVICES of the control plane names none of them.
             * @example true
             */
            used_by_runs: boolean;
            /**
             * @description When it was last read in full; null when that has not succeeded yet.
             * @example 2026-11-20T09:00:00.000Z
             */
            read_at: string | null;
            /**
             * @description Version of the driver.
             * @example 570.124.06
             */
            driver_version: string | null;
            /**
             * @description Newest CUDA that the driver serves.
             * @example 12.8
             */
            cuda_version: string | null;
            /**
             * @description By index.
             * @example []
             */
            gpus: components["schemas"]["Gpu"][];
            /**
             * @description One for each two GPUs; empty where the topology is not known.
             * @example []
             */
            links: components["schemas"]["GpuLink"][];
            /**
             * @description What could not be read, and the remedy. With some, the rest may be older than it seems.
             * @example [
             *       "nvidia-smi -q -x took longer than 30 s; see dmesg for what the driver waits for."
             *     ]
             */
            problems: string[];
        };
        /** @description One GPU of the host. */
        Gpu: {
            /**
             * @description UUID, by which containers get it.
             * @example GPU-5f1c9d7e-0b0a-4c63-9f64-0d3b8f6a2e11
             */
            uuid: string;
            /**
             * @description Index, as `nvidia-smi` counts.
             * @example 0
             */
            index: number;
            /**
             * @description Product.
             * @example NVIDIA H100 80GB HBM3
             */
            name: string;
            /**
             * @description Where it is plugged in; null in a file of GPUs.
             * @example 0000:1b:00
             */
            pci_bus_id: string | null;
            /**
             * @description Memory, in MiB; null where it cannot be read.
             * @example 81559
             */
            memory_total_mib: number | null;
            /**
             * @description Memory in use, in MiB; null where it cannot be read.
             * @example 512
             */
            memory_used_mib: number | null;
            /**
             * @description CUDA compute capability; null where the driver does not say.
             * @example 9.0
             */
            compute_capability: string | null;
            /**
             * @description NUMA node it is next to; null where unknown.
             * @example 0
             */
            numa_node: number | null;
            /**
             * @description Processors it is next to; null where unknown.
             * @example 0-51,104-155
             */
            cpus: string | null;
            /**
             * @description Multi-instance mode; null where it has none.
             * @example null
             */
            mig: components["schemas"]["GpuMig"] | null;
            /**
             * @description Memory errors; null where it does not count.
             * @example {
             *       "enabled": true,
             *       "corrected": 0,
             *       "uncorrected": 0,
             *       "uncorrected_ever": 0,
             *       "sram_threshold_exceeded": false
             *     }
             */
            ecc: components["schemas"]["GpuEcc"] | null;
            /**
             * @description Memory rows replaced by spare ones; null where it cannot do that.
             * @example {
             *       "corrected": 0,
             *       "uncorrected": 1,
             *       "pending": true,
             *       "failed": false
             *     }
             */
            row_remapping: components["schemas"]["RowRemapping"] | null;
            /**
             * @description Whether memory pages are retired at the next reset; null where it does not retire pages.
             * @example null
             */
            retired_pages_pending: boolean | null;
            /**
             * @description The driver's own advice, in its words; null where it gives none.
             * @example None
             */
            recovery_action: string | null;
            /**
             * @description Errors in the kernel log since boot; empty also where the log cannot be read.
             * @example []
             */
            xids: components["schemas"]["GpuXid"][];
            /**
             * @description Processes on a GPU that Tandem has not leased. Empty also where the process numbers of the host cannot be seen.
             * @example []
             */
            foreign_processes: components["schemas"]["GpuProcess"][];
            /**
             * @description Whose it is; null where it is leased to nobody.
             * @example null
             */
            lease: components["schemas"]["GpuLease"] | null;
            /**
             * @description Whether a run could have it: healthy, whole, not quarantined, used by nobody else, and within CUDA_VISIBLE_DEVICES of the control plane.
             * @example true
             */
            usable: boolean;
            /**
             * @description Whether it can be used.
             * @example {
             *       "verdict": "healthy",
             *       "findings": []
             *     }
             */
            health: components["schemas"]["GpuHealth"];
        };
        GpuMig: {
            /**
             * @description Whether it is split.
             * @example true
             */
            enabled: boolean;
            /**
             * @description Whether it will be after its next reset.
             * @example true
             */
            pending: boolean;
            /**
             * @description Its parts.
             * @example []
             */
            devices: components["schemas"]["MigDevice"][];
        };
        /** @description A part of a GPU in MIG mode. */
        MigDevice: {
            /**
             * @description Index within its GPU.
             * @example 0
             */
            index: number;
            /**
             * @description UUID; null where the driver does not list it.
             * @example MIG-7af93043-695c-54c5
             */
            uuid: string | null;
            /**
             * @description Its size; null where the driver does not say.
             * @example 3g.40gb
             */
            profile: string | null;
            /**
             * @description Id of the GPU instance.
             * @example 1
             */
            gpu_instance: number | null;
            /**
             * @description Id of the compute instance.
             * @example 0
             */
            compute_instance: number | null;
            /**
             * @description Memory, in MiB.
             * @example 40448
             */
            memory_total_mib: number | null;
            /**
             * @description Memory in use, in MiB.
             * @example 298
             */
            memory_used_mib: number | null;
        };
        GpuEcc: {
            /**
             * @description Whether memory errors are corrected.
             * @example true
             */
            enabled: boolean | null;
            /**
             * @description Errors corrected since the driver was loaded.
             * @example 0
             */
            corrected: number | null;
            /**
             * @description Errors that were not, since the driver was loaded.
             * @example 0
             */
            uncorrected: number | null;
            /**
             * @description Errors that were not, in its whole life.
             * @example 0
             */
            uncorrected_ever: number | null;
            /**
             * @description Whether its on-chip memory has had too many.
             * @example false
             */
            sram_threshold_exceeded: boolean | null;
        };
        RowRemapping: {
            /**
             * @description Rows replaced after corrected errors.
             * @example 0
             */
            corrected: number | null;
            /**
             * @description Rows replaced after other errors.
             * @example 1
             */
            uncorrected: number | null;
            /**
             * @description Whether one is replaced at the next reset.
             * @example true
             */
            pending: boolean | null;
            /**
             * @description Whether one could not be replaced.
             * @example false
             */
            failed: boolean | null;
        };
        /** @description An error that the driver wrote to the kernel log. */
        GpuXid: {
            /**
             * @description Number in NVIDIA's catalog of Xid errors.
             * @example 94
             */
            code: number;
            /**
             * @description How often the kernel log has it since boot.
             * @example 2
             */
            times: number;
            /**
             * @description The newest message.
             * @example pid=41394, name=python3, Contained: SM (0x1)
             */
            last: string;
        };
        GpuProcess: {
            /**
             * @description Process number on the host.
             * @example 41394
             */
            pid: number;
            /**
             * @description Program, as the driver knows it; empty when it does not.
             * @example /usr/bin/python3
             */
            name: string;
            /**
             * @description GPU memory it holds, in MiB; null where the driver does not say.
             * @example 512
             */
            memory_mib: number | null;
            /**
             * @description Name of the container it is in, its id where no Docker daemon tells the name; null where it is in none, or where that cannot be seen.
             * @example jupyter-of-anna
             */
            container: string | null;
        };
        /** @description Whose a GPU is. */
        GpuLease: {
            /**
             * @description The run it is leased to.
             * @example run-7k3m9q2d
             */
            run: string;
            /**
             * @description The attempt of that run.
             * @example 2
             */
            attempt: number;
            /**
             * @description Which of the pair uses it; `both` in a shared profile.
             * @example trainer
             * @enum {string}
             */
            role: "inference" | "trainer" | "both";
            /**
             * @description Number of the grant; no other grant ever has it.
             * @example 1763629200
             */
            epoch: number;
            /**
             * Format: date-time
             * @description When it was granted.
             * @example 2026-11-20T09:00:00.000Z
             */
            since: string;
            /**
             * @description `held`: by the programs of the attempt. `quarantined`: they are gone and the GPU is not clean, or one of them called it broken; it is given to nobody until it is in order.
             * @example quarantined
             * @enum {string}
             */
            state: "held" | "quarantined";
            /**
             * @description What is wrong: for a quarantined one the processes and the memory in use, or what was printed of it; for a held one its health.
             * @example process 41394 (/usr/bin/python3, 512 MiB) is still on it; 516 MiB in use
             */
            why: string | null;
            /**
             * @description Processes on it. While it is held they count as those of the run.
             * @example []
             */
            processes: components["schemas"]["GpuProcess"][];
        };
        /** @description One thing that is wrong with a GPU. */
        GpuFinding: {
            /**
             * @description How bad it is.
             * @example degraded
             * @enum {string}
             */
            verdict: "degraded" | "unusable";
            /**
             * @description What is wrong.
             * @example A memory row waits to be replaced by a spare one.
             */
            why: string;
            /**
             * @description What helps.
             * @example Reset it at the next idle moment: nvidia-smi --gpu-reset -i 3.
             */
            remedy: string;
        };
        GpuHealth: {
            /**
             * @description `healthy`; `degraded`: works, and wants attention; `unusable`: nothing may be started on it.
             * @example degraded
             * @enum {string}
             */
            verdict: "healthy" | "degraded" | "unusable";
            /**
             * @description What is wrong, worst first; empty when healthy.
             * @example []
             */
            findings: components["schemas"]["GpuFinding"][];
        };
        /** @description The way between two GPUs. */
        GpuLink: {
            /**
             * @description UUIDs of the two GPUs, the smaller index first.
             * @example [
             *       "GPU-5f1c9d7e-0b0a-4c63-9f64-0d3b8f6a2e11",
             *       "GPU-0b7a1f8c-6d5e-4a3b-8c2d-1e0f9a8b7c6d"
             *     ]
             */
            between: [
                string,
                string
            ];
            /**
             * @description What is between them, best first: `NV` (NVLink), `PIX`, `PXB`, `PHB`, `NODE`, `SYS`, as `nvidia-smi topo -m` says it.
             * @example NV
             * @enum {string}
             */
            kind: "NV" | "PIX" | "PXB" | "PHB" | "NODE" | "SYS";
            /**
             * @description How many NVLinks are bonded; 0 without NVLink.
             * @example 18
             */
            nvlinks: number;
        };
        /** @description Who waits for GPUs or a slot, in order, and why. */
        Queue: {
            /**
             * Format: date-time
             * @description When this was decided.
             * @example 2026-11-20T09:40:00.000Z
             */
            time: string;
            /**
             * @description Who waits: the line of the GPUs, then that of the CPU, each in its order.
             * @example []
             */
            waiting: components["schemas"]["WaitingRun"][];
            /**
             * @description What is kept for the first run that has to wait for GPUs; null where none has to.
             * @example null
             */
            reservation: components["schemas"]["Reservation"] | null;
            /**
             * @description Who holds GPUs.
             * @example []
             */
            holding: components["schemas"]["HoldingRun"][];
            /**
             * @description GPUs in numbers.
             * @example {
             *       "total": 8,
             *       "usable": 7,
             *       "free": 2,
             *       "quarantined": 1,
             *       "read_at": null
             *     }
             */
            gpus: components["schemas"]["QueueGpus"];
            /**
             * @description Slots in numbers.
             * @example {
             *       "total": 1,
             *       "used": 1
             *     }
             */
            slots: components["schemas"]["QueueSlots"];
            /**
             * @description Quotas (`TANDEM_QUOTAS`), for each value of a label that waits, holds or has a quota of its own.
             * @example []
             */
            quotas: components["schemas"]["QuotaUse"][];
        };
        /** @description A run that waits, and why. */
        WaitingRun: {
            /** @description The run. */
            run: components["schemas"]["RunId"];
            /**
             * @description Its name for people.
             * @example addition-grpo
             */
            name: string | null;
            /**
             * @description What it waits for: GPUs, or a slot of the CPU. Each has a line of its own.
             * @example gpus
             * @enum {string}
             */
            on: "gpus" | "cpu";
            /**
             * @description Place in its line, from 1.
             * @example 2
             */
            position: number;
            /**
             * @description Higher starts earlier; waiting counts besides.
             * @example 50
             */
            priority: number;
            /**
             * Format: date-time
             * @description Since when it waits; a pause, a restart and a preemption keep it.
             * @example 2026-11-20T09:40:00.000Z
             */
            queued_at: string;
            /**
             * @description Its GPU profile.
             * @example split-4
             */
            profile: string;
            /**
             * @description GPUs it needs; 0 on the CPU.
             * @example 4
             */
            needs: number;
            /**
             * @description GPUs, or slots, that were free when its turn came.
             * @example 2
             */
            free: number;
            /**
             * @description `gpus`: too few are free. `reserved`: they are free, but kept for the first in line. `backoff`: it restarts later. `too_large`: no end of a run would make room. `quota`: its label may hold no more. `slot`: all slots are taken. `ending`: its last programs are still ending. `reading`: the GPUs are being read. `profile`: its profile is no longer there. `model`: its model is being fetched; it keeps back nobody meanwhile.
             * @example gpus
             * @enum {string}
             */
            cause: "gpus" | "reserved" | "backoff" | "too_large" | "quota" | "slot" | "ending" | "reading" | "profile" | "model";
            /**
             * @description The run whose reservation it waits behind.
             * @example run-1a2b3c4d
             */
            behind: components["schemas"]["RunId"] | null;
            /**
             * @description All of that in a sentence.
             * @example needs 4, free 2, 1 quarantined; behind run-1a2b3c4d, which starts in about 40 min
             */
            why: string;
        };
        Reservation: {
            /**
             * @description The first run that has to wait for GPUs.
             * @example run-1a2b3c4d
             */
            run: components["schemas"]["RunId"];
            /**
             * @description When they are free, by the estimates; null where a run that it waits for tells no end.
             * @example 2026-11-20T10:20:00.000Z
             */
            at: string | null;
            /**
             * @description GPUs that are kept for it; empty while `at` is null.
             * @example [
             *       "GPU-5f1c9d7e-0b0a-4c63-9f64-0d3b8f6a2e11"
             *     ]
             */
            gpus: string[];
        };
        /** @description A run that holds GPUs. */
        HoldingRun: {
            /**
             * @description The run.
             * @example run-1a2b3c4d
             */
            run: string;
            /**
             * @description GPUs it holds.
             * @example [
             *       "GPU-5f1c9d7e-0b0a-4c63-9f64-0d3b8f6a2e11"
             *     ]
             */
            gpus: string[];
            /**
             * Format: date-time
             * @description When it got them.
             * @example 2026-11-20T09:40:00.000Z
             */
            since: string;
            /**
             * @description When it is expected to end, by its progress or `expected_minutes`; null where nobody knows.
             * @example 2026-11-20T11:00:00.000Z
             */
            ends_at: string | null;
            /**
             * @description Whether a run of higher priority may have its GPUs.
             * @example true
             */
            preemptible: boolean;
            /**
             * @description Asked to end, or ended and not yet gone.
             * @example false
             */
            stopping: boolean;
        };
        QueueGpus: {
            /**
             * @description GPUs of the host.
             * @example 8
             */
            total: number;
            /**
             * @description Those that runs can have, whether held or free.
             * @example 7
             */
            usable: number;
            /**
             * @description Of these, free.
             * @example 2
             */
            free: number;
            /**
             * @description Kept back until they are in order; GET /gpus says why.
             * @example 1
             */
            quarantined: number;
            /**
             * @description When they were read; null before the first time.
             * @example 2026-11-20T09:39:58.000Z
             */
            read_at: string | null;
        };
        QueueSlots: {
            /**
             * @description Runs on the CPU at a time (`TANDEM_SLOTS`).
             * @example 1
             */
            total: number;
            /**
             * @description Of these, taken.
             * @example 1
             */
            used: number;
        };
        QuotaUse: {
            /**
             * @description Label it counts by.
             * @example team
             */
            label: string;
            /**
             * @description Value of the label.
             * @example research
             */
            value: string;
            /**
             * @description GPUs that runs with it may hold at a time.
             * @example 4
             */
            gpus: number;
            /**
             * @description GPUs they hold.
             * @example 2
             */
            held: number;
        };
        GpuProfileList: {
            /**
             * @description By name.
             * @example []
             */
            profiles: components["schemas"]["ListedGpuProfile"][];
        };
        /** @description A GPU profile, and whether this host could ever hold it. */
        ListedGpuProfile: {
            /**
             * @description The profile, as its file says it.
             * @example {
             *       "name": "split-2",
             *       "description": "2 GPUs: one serves, one trains.",
             *       "mode": "split",
             *       "inference": {
             *         "gpus": 1,
             *         "tensor_parallel_size": 1,
             *         "gpu_memory_utilization": 0.85,
             *         "shm_gib": 4
             *       },
             *       "trainer": {
             *         "gpus": 1,
             *         "gpu_memory_utilization": 0.95,
             *         "shm_gib": 4
             *       },
             *       "hand_off": "none",
             *       "deadlines": {
             *         "ready": 1800,
             *         "hand_off": 60
             *       }
             *     }
             */
            profile: components["schemas"]["GpuProfile"];
            /**
             * @description Why this host could not hold it even if nothing else ran, with the arithmetic; null where it could.
             * @example needs 2 GPUs (1 for inference, 1 for the trainer), this host has 1
             */
            never: string | null;
        };
        /** @description How GPUs are divided between the roles. */
        GpuProfile: {
            /**
             * @description Name, as in `gpu_profile` of a run spec.
             * @example split-8
             */
            name: string;
            /**
             * @description What it is for.
             * @example 8 GPUs: 4 serve, 4 train.
             */
            description: string;
            /**
             * @description How the GPUs are divided.
             * @example split
             * @enum {string}
             */
            mode: "split" | "shared" | "none";
            /**
             * @description Memory that each of its GPUs must have at least, in GiB; 0: any GPU will do.
             * @default 0
             * @example 80
             */
            gpu_memory_gib: number;
            /**
             * @description What the inference server gets.
             * @example {
             *       "gpus": 4,
             *       "tensor_parallel_size": 4,
             *       "gpu_memory_utilization": 0.85,
             *       "shm_gib": 16
             *     }
             */
            inference: {
                /**
                 * @description GPUs of the inference server: how many, or which by index.
                 * @example 4
                 */
                gpus: number | number[];
                /**
                 * @description GPUs of one tensor-parallel group; the server has a whole number of groups.
                 * @example 4
                 */
                tensor_parallel_size: number;
                /**
                 * @description Share of GPU memory the server takes; null without GPUs.
                 * @example 0.85
                 */
                gpu_memory_utilization: number | null;
                /**
                 * @description Size of /dev/shm in its container, in GiB; NCCL and the workers of a group use it.
                 * @example 16
                 */
                shm_gib: number;
            };
            /**
             * @description What the trainer gets.
             * @example {
             *       "gpus": 4,
             *       "gpu_memory_utilization": 0.95,
             *       "shm_gib": 16
             *     }
             */
            trainer: {
                /**
                 * @description GPUs of the trainer: how many, or which by index.
                 * @example 4
                 */
                gpus: number | number[];
                /**
                 * @description Share of GPU memory the trainer may take; null without GPUs.
                 * @example 0.95
                 */
                gpu_memory_utilization: number | null;
                /**
                 * @description Size of /dev/shm in its container, in GiB; data loaders and NCCL use it.
                 * @example 16
                 */
                shm_gib: number;
            };
            /**
             * @description How one role leaves the GPUs to the other. `none`: both keep what they have. `sleep` (shared only): the server sleeps while the trainer trains.
             * @example none
             * @enum {string}
             */
            hand_off: "none" | "sleep";
            /**
             * @description How long its phases may take.
             * @example {
             *       "ready": 3600,
             *       "hand_off": 120
             *     }
             */
            deadlines: {
                /**
                 * @description Seconds from the lease until both roles answer; then it is revoked and the run waits again.
                 * @example 3600
                 */
                ready: number;
                /**
                 * @description Seconds that going to sleep, or waking up, may take.
                 * @example 120
                 */
                hand_off: number;
            };
        };
        /** @description Whether this host is ready, line by line. */
        Preflight: {
            /**
             * @description Whether nothing that is needed is missing.
             * @example true
             */
            ready: boolean;
            /**
             * @description As what runs are started, which decides what is needed.
             * @example docker
             * @enum {string}
             */
            runtime: "process" | "docker";
            /**
             * @description One for each thing, always in the same order.
             * @example []
             */
            checks: components["schemas"]["PreflightCheck"][];
        };
        PreflightCheck: {
            /**
             * @description What was looked at.
             * @example docker
             */
            name: string;
            /**
             * @description `ok`; `warning`: works, and could be better; `missing`: runs cannot work without it; `note`: does not matter for what this host is used for.
             * @example ok
             * @enum {string}
             */
            verdict: "ok" | "warning" | "missing" | "note";
            /**
             * @description What was found.
             * @example Docker 28.1.1 (API 1.49)
             */
            found: string;
            /**
             * @description What to do about it; null when nothing is to be done.
             * @example null
             */
            remedy: string | null;
        };
        Health: {
            /**
             * @description Alive.
             * @example ok
             * @constant
             */
            status: "ok";
            /**
             * @description Version of Tandem.
             * @example 0.1.0
             */
            version: string;
        };
        Readiness: {
            /**
             * @description Ready.
             * @example ready
             * @constant
             */
            status: "ready";
            /**
             * @description Programs found running at start and taken over.
             * @example 2
             */
            adopted: number;
        };
        /** @description Everything a trainer needs to know. */
        AttemptSpec: {
            /**
             * @description Run.
             * @example run-7k3m9q2d
             */
            run: string;
            /**
             * @description Attempt, from 1.
             * @example 1
             */
            attempt: number;
            /**
             * @description The resolved run spec.
             * @example {
             *       "model": {
             *         "name": "Qwen/Qwen3-VL-32B-Instruct"
             *       }
             *     }
             */
            spec: components["schemas"]["RunSpecOutput"];
            /**
             * @description Where the base model lies, in Hugging Face layout.
             * @example /srv/models/tiny
             */
            model_directory: string;
            /**
             * @description Where that was fetched from, for what a checkpoint says of itself; null for a model that is not fetched.
             * @example null
             */
            model_origin: components["schemas"]["ModelOrigin"] | null;
            /**
             * @description Adapter to start from when the model is another run's LoRA checkpoint.
             * @example null
             */
            base_adapter_directory: string | null;
            /**
             * @description Absolute path of the training set.
             * @example /srv/data/train.jsonl
             */
            train_data: string | null;
            /**
             * @description Absolute path of the validation set.
             * @example /srv/data/val.jsonl
             */
            val_data: string | null;
            /**
             * @description Absolute paths of the files that `function` rewards name, in their order.
             * @example [
             *       "/srv/rewards/score.py"
             *     ]
             */
            reward_files: string[];
            /**
             * @description Where versioned adapters are published for the inference server; shared by the pair.
             * @example /srv/tandem/work/run-7k3m9q2d/a1/adapters
             */
            adapters_directory: string;
            /**
             * @description Base URL of the inference server, ending in /v1; null when the method needs none.
             * @example http://127.0.0.1:34567/v1
             */
            inference_url: string | null;
            /**
             * @description How the inference server leaves the GPUs to the trainer; `none` where it has GPUs of its own, or no server is started with the attempt.
             * @example {
             *       "mode": "none",
             *       "deadline": 120
             *     }
             */
            hand_off: components["schemas"]["HandOff"];
            /**
             * @description Checkpoints to start from, best choice first; the first that verifies is used. Empty: from the beginning.
             * @example []
             */
            resume: components["schemas"]["ResumeCandidate"][];
            /**
             * @description Baseline evaluation of this run or its parent, when there is one already.
             * @example null
             */
            baseline: {
                [key: string]: unknown;
            } | null;
            /**
             * @description Whether to evaluate before training.
             * @example true
             */
            run_baseline_eval: boolean;
            /**
             * @description Whether to log each step's phases and group summary.
             * @example false
             */
            verbose: boolean;
            /**
             * @description Name of the run's tree, for messages.
             * @example outputs/grpo_cua
             */
            output_dir: string;
            /**
             * @example {
             *       "training": "INFO",
             *       "rollout": "INFO",
             *       "eval": "INFO",
             *       "performance": "INFO"
             *     }
             */
            log_levels: components["schemas"]["LogLevels"];
        };
        HandOff: {
            /**
             * @description `sleep`: put the server to sleep before training, wake it before rollouts.
             * @example none
             * @enum {string}
             */
            mode: "none" | "sleep";
            /**
             * @description Seconds that each of its steps may take.
             * @example 120
             */
            deadline: number;
        };
        ResumeCandidate: {
            /**
             * @description Name for people.
             * @example run-7k3m9q2d/a1/checkpoint-40
             */
            label: string;
            /**
             * @description Its manifest; null for a folder that never had one.
             * @example null
             */
            manifest: components["schemas"]["Manifest"] | null;
            /**
             * @description Where its files lie.
             * @example /srv/tandem/objects/runs/run-7k3m9q2d/checkpoints/a1/checkpoint-40
             */
            directory: string | null;
            /**
             * @description Where its files are fetched from, by path.
             * @example null
             */
            urls: {
                [key: string]: string;
            } | null;
        };
        /** @description What makes a set of objects a checkpoint. */
        Manifest: {
            /**
             * @description Format of the manifest.
             * @example tandem.checkpoint/1
             * @constant
             */
            schema: "tandem.checkpoint/1";
            /**
             * @description Run that saved it.
             * @example run-7k3m9q2d
             */
            run: string;
            /**
             * @description Attempt that saved it.
             * @example 1
             */
            attempt: number;
            /**
             * @description `checkpoint-<step>`.
             * @example checkpoint-100
             */
            name: string;
            /**
             * Format: date-time
             * @description When it was committed.
             * @example 2026-11-20T09:00:00.000Z
             */
            created_at: string;
            /**
             * @description Optimizer step of the state.
             * @example 100
             */
            step: number;
            /**
             * @description Why it was saved.
             * @example [
             *       "step",
             *       "best"
             *     ]
             */
            purposes: ("step" | "best" | "final" | "stop")[];
            /**
             * @description Which weights: how many updates the policy has had.
             * @example 100
             */
            policy_version: number;
            /**
             * @description Number of the last record that this state covers.
             * @example 412
             */
            record: number;
            /**
             * @description Passes over the data so far.
             * @example 0.5
             */
            epoch: number;
            /**
             * @description Best value so far of the metric that decides.
             * @example 0.65
             */
            best_metric: number | null;
            /**
             * @description Latest metrics.
             * @example {
             *       "loss": 0.234
             *     }
             */
            metrics: {
                [key: string]: number | ("NaN" | "Infinity" | "-Infinity");
            };
            /**
             * @description sha256 of what it was trained from: `model`, `tokenizer`, `train_data`; `reward` where it is a file.
             * @example {
             *       "model": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
             *     }
             */
            inputs: {
                [key: string]: string;
            };
            /**
             * @description Every file of the checkpoint.
             * @example [
             *       {
             *         "path": "optimizer.pt",
             *         "size": 10,
             *         "sha256": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
             *       }
             *     ]
             */
            files: components["schemas"]["CheckpointFile"][];
        };
        /** @description Level per component. */
        LogLevels: {
            /** @description Level of training. */
            training: components["schemas"]["LogLevel"];
            /** @description Level of rollouts. */
            rollout: components["schemas"]["LogLevel"];
            /** @description Level of evaluation. */
            eval: components["schemas"]["LogLevel"];
            /** @description Level of performance lines. */
            performance: components["schemas"]["LogLevel"];
        };
        RecordsReply: {
            /**
             * @description Number of the last record that is stored; the next one to send is `high + 1`.
             * @example 17
             */
            high: number;
            /**
             * @description `save`: commit a checkpoint soon. `stop`: commit one and exit with 0 before the deadline.
             * @example run
             * @enum {string}
             */
            want: "run" | "save" | "stop";
            /**
             * @description For `stop`: when the process will be killed.
             * @example null
             */
            deadline: string | null;
            /**
             * @description Level per component, as it is now.
             * @example {
             *       "training": "INFO",
             *       "rollout": "INFO",
             *       "eval": "INFO",
             *       "performance": "INFO"
             *     }
             */
            log_levels: components["schemas"]["LogLevels"];
        };
        UploadReply: {
            /**
             * @description Write the files below this directory, each under a temporary name, fsynced, then renamed; null when the store is not a directory.
             * @example /srv/tandem/objects/runs/run-7k3m9q2d/checkpoints/a1/checkpoint-40
             */
            directory: string | null;
            /**
             * @description What is still to be sent of each file, by path: a file that is stored already has an empty list. Ask again to get fresh URLs for what is then missing. Null when the store is a directory, unless the step is committed already: then every list is empty.
             * @example null
             */
            parts: {
                [key: string]: components["schemas"]["UploadPart"][];
            } | null;
        };
        UploadPart: {
            /**
             * @description First byte of the file.
             * @example 0
             */
            start: number;
            /**
             * @description The byte after the last one.
             * @example 16777216
             */
            end: number;
            /**
             * Format: uri
             * @description Presigned URL; holds for this part alone.
             * @example http://minio:9000/tandem/runs/…?X-Amz-Signature=…
             */
            url: string;
            /**
             * @description Headers to send with it; they are part of the signature.
             * @example {
             *       "x-amz-checksum-sha256": "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="
             *     }
             */
            headers: {
                [key: string]: string;
            };
        };
        /** @description Low-rank adapter. */
        LoraSpecOutput: {
            /**
             * @description Rank of the LoRA matrices. 8, 16 or 32 by memory; 16 to 8 is a remedy for CUDA out of memory.
             * @default 16
             * @example 16
             */
            r: number;
            /**
             * @description LoRA scale; the update is multiplied by alpha / r.
             * @default 32
             * @example 32
             */
            alpha: number;
            /**
             * @description Dropout on the LoRA input while training.
             * @default 0
             * @example 0
             */
            dropout: number;
            /**
             * @description Projections that get a LoRA; all seven by default.
             * @default [
             *       "q_proj",
             *       "k_proj",
             *       "v_proj",
             *       "o_proj",
             *       "gate_proj",
             *       "up_proj",
             *       "down_proj"
             *     ]
             * @example [
             *       "q_proj",
             *       "v_proj"
             *     ]
             */
            target_modules: ("q_proj" | "k_proj" | "v_proj" | "o_proj" | "gate_proj" | "up_proj" | "down_proj")[];
        };
        /** @description What is trained. */
        ModelSpecOutput: {
            /**
             * @description A model directory, `runs/<id>/<checkpoint>` (or `runs/<id>` for its best) for what another run trained, `store:models/<path>` for one in the object store, or the name of a model hub (`HF_ENDPOINT`), which is fetched before the run starts.
             * @example Qwen/Qwen3-VL-32B-Instruct
             */
            name: string;
            /**
             * @description Of a model from a hub: branch, tag or commit. A run keeps the commit that it meant when the run was submitted.
             * @default main
             * @example main
             */
            revision: string;
            /**
             * @description Longest sequence in tokens, prompt and completion together. Left out: 2048, or what the model was made for if that is less.
             * @default 2048
             * @example 16384
             */
            max_seq_length: number;
            /**
             * @description Train a LoRA adapter; false trains the full weights.
             * @default true
             * @example true
             */
            use_lora: boolean;
            /**
             * @description The adapter, when `use_lora` is true.
             * @example {
             *       "r": 16,
             *       "alpha": 32
             *     }
             */
            lora: components["schemas"]["LoraSpecOutput"];
            /**
             * @description QLoRA: keep the projections of the frozen model in 4 bits (NF4 with double quantisation) under the adapter. Less memory, and slower where batches are small.
             * @default false
             * @example false
             */
            use_4bit: boolean;
            /**
             * @description Compute in bfloat16 where the trainer backend can; the tfjs trainer computes in float32.
             * @default false
             * @example true
             */
            bf16: boolean;
        };
        /** @description What it learns from. */
        DataSpecOutput: {
            /**
             * @description Training set: a JSONL, JSON, CSV or TSV file, or a directory of them, with `{prompt | messages, completion | answer}` in each row; for DPO `{prompt, chosen, rejected}`.
             * @default null
             * @example data/train.jsonl
             */
            train_data: string | null;
            /**
             * @description Validation set in the same format; null: no validation.
             * @default null
             * @example data/val.jsonl
             */
            val_data: string | null;
            /**
             * @description Where the columns of the data have other names: ours on the left, theirs on the right.
             * @example {
             *       "prompt": "question"
             *     }
             */
            columns: components["schemas"]["DataColumnsOutput"];
            /**
             * @description Rows that cannot be used, such as broken lines and prompts that are too long: `stop` before training, or `skip` them, counted and named.
             * @default stop
             * @example skip
             * @enum {string}
             */
            on_invalid: "stop" | "skip";
            /**
             * @description Shuffle each epoch, by the seed.
             * @default true
             * @example true
             */
            shuffle: boolean;
        };
        /** @description Names of columns that differ from those Tandem knows. */
        DataColumnsOutput: {
            /**
             * @description Column that holds the id of a row; null: the one of that name.
             * @default null
             * @example null
             */
            id: string | null;
            /**
             * @description Column that holds the prompt; null: the one of that name.
             * @default null
             * @example question
             */
            prompt: string | null;
            /**
             * @description Column that holds the conversation; null: the one of that name.
             * @default null
             * @example conversations
             */
            messages: string | null;
            /**
             * @description Column that holds the completion; null: the one of that name.
             * @default null
             * @example response
             */
            completion: string | null;
            /**
             * @description Column that holds the answer; null: the one of that name.
             * @default null
             * @example null
             */
            answer: string | null;
            /**
             * @description Column that holds the answer that was preferred (DPO); null: the one of that name.
             * @default null
             * @example null
             */
            chosen: string | null;
            /**
             * @description Column that holds the answer that was not (DPO); null: the one of that name.
             * @default null
             * @example null
             */
            rejected: string | null;
        };
        /** @description What the model acts in. */
        EnvironmentSpecOutput: {
            /**
             * @description `single_turn`: one prompt of the data set, one completion, one reward.
             * @default single_turn
             * @example single_turn
             * @enum {string}
             */
            type: "single_turn";
            /**
             * @description System message put before each prompt.
             * @default null
             * @example null
             */
            system_prompt: string | null;
        };
        /** @description How a completion is scored. */
        RewardSpecOutput: components["schemas"]["ExactRewardOutput"] | components["schemas"]["NumericRewardOutput"] | components["schemas"]["BoxedRewardOutput"] | components["schemas"]["RegexRewardOutput"] | components["schemas"]["JsonSchemaRewardOutput"] | components["schemas"]["LengthRewardOutput"] | components["schemas"]["FunctionRewardOutput"] | components["schemas"]["HttpRewardOutput"];
        /** @description The trimmed completion equals the answer. */
        ExactRewardOutput: {
            /**
             * @description The trimmed completion equals the answer. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            name: "exact";
            /**
             * @description Factor in the sum of rewards.
             * @default 1
             * @example 1
             */
            weight: number;
        };
        /** @description The last number equals that of the answer. */
        NumericRewardOutput: {
            /**
             * @description The last number in the completion equals the last one in the answer. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            name: "numeric";
            /**
             * @description Factor in the sum of rewards.
             * @default 1
             * @example 1
             */
            weight: number;
        };
        /** @description The boxed result equals the answer. */
        BoxedRewardOutput: {
            /**
             * @description What the last `\boxed{…}` holds equals the answer, as a number or as a formula without its layout. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            name: "boxed";
            /**
             * @description Factor in the sum of rewards.
             * @default 1
             * @example 1
             */
            weight: number;
        };
        /** @description A pattern is found. */
        RegexRewardOutput: {
            /**
             * @description A regular expression is found in the completion. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            name: "regex";
            /**
             * @description JavaScript regular expression; anchor it with ^ and $ to match the whole completion.
             * @example ^<think>.*</think>\s*<answer>.*</answer>$
             */
            pattern: string;
            /**
             * @description Of `i`, `m`, `s` and `u`.
             * @default
             * @example s
             */
            flags: string;
            /**
             * @description When it cannot score a completion: `fail` ends the run; `skip` leaves the whole task out of the step, and counts it.
             * @default fail
             * @example skip
             * @enum {string}
             */
            on_failure: "fail" | "skip";
            /**
             * @description Factor in the sum of rewards.
             * @default 1
             * @example 1
             */
            weight: number;
        };
        /** @description The completion is JSON of a shape. */
        JsonSchemaRewardOutput: {
            /**
             * @description The completion, or the last fenced block in it, is JSON that the schema admits. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            name: "json_schema";
            /**
             * @description JSON schema (draft 2020-12, without if/then/else).
             * @example {
             *       "type": "object",
             *       "required": [
             *         "answer"
             *       ],
             *       "properties": {
             *         "answer": {
             *           "type": "integer"
             *         }
             *       }
             *     }
             */
            schema: {
                [key: string]: unknown;
            };
            /**
             * @description When it cannot score a completion: `fail` ends the run; `skip` leaves the whole task out of the step, and counts it.
             * @default fail
             * @example skip
             * @enum {string}
             */
            on_failure: "fail" | "skip";
            /**
             * @description Factor in the sum of rewards.
             * @default 1
             * @example 1
             */
            weight: number;
        };
        /** @description The length is within limits. */
        LengthRewardOutput: {
            /**
             * @description 1 from `min` to `max`, falling to 0 over `slack` outside. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            name: "length";
            /**
             * @description What is counted.
             * @default tokens
             * @example characters
             * @enum {string}
             */
            unit: "tokens" | "characters";
            /**
             * @description Shortest length that scores 1; the same as `max` for a target.
             * @default 0
             * @example 0
             */
            min: number;
            /**
             * @description Longest length that scores 1; null: any.
             * @default null
             * @example 200
             */
            max: number | null;
            /**
             * @description Over so many more or fewer the score falls evenly to 0; 0: at once.
             * @default 0
             * @example 50
             */
            slack: number;
            /**
             * @description Factor in the sum of rewards.
             * @default 1
             * @example 1
             */
            weight: number;
        };
        /** @description A function in a file scores. */
        FunctionRewardOutput: {
            /**
             * @description A function of your own, in a process of its own. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            name: "function";
            /**
             * @description `file:function`; see the README of the trainer for how it is called.
             * @example rewards/score.py:score
             */
            function: string;
            /**
             * @description Seconds that one call, for the completions of one task, may take.
             * @default 60
             * @example 60
             */
            timeout: number;
            /**
             * @description Memory that its process may use, in MiB.
             * @default 2048
             * @example 2048
             */
            memory_mb: number;
            /**
             * @description When it cannot score a completion: `fail` ends the run; `skip` leaves the whole task out of the step, and counts it.
             * @default fail
             * @example skip
             * @enum {string}
             */
            on_failure: "fail" | "skip";
            /**
             * @description Factor in the sum of rewards.
             * @default 1
             * @example 1
             */
            weight: number;
        };
        /** @description A server scores. */
        HttpRewardOutput: {
            /**
             * @description A server scores: POST of `{completions, completion_ids, prompts, answers, columns}`. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            name: "http";
            /**
             * @description Where it listens.
             * @example http://127.0.0.1:9000/score
             */
            url: string;
            /**
             * @description Seconds to wait for an answer.
             * @default 30
             * @example 30
             */
            timeout: number;
            /**
             * @description How often it is asked again after a broken connection, a timeout, a 5xx, 408 or 429, waiting 0.5 s and twice as long each time, or as long as its Retry-After asks; a minute at most.
             * @default 4
             * @example 4
             */
            retries: number;
            /**
             * @description When it cannot score a completion: `fail` ends the run; `skip` leaves the whole task out of the step, and counts it.
             * @default fail
             * @example skip
             * @enum {string}
             */
            on_failure: "fail" | "skip";
            /**
             * @description Factor in the sum of rewards.
             * @default 1
             * @example 1
             */
            weight: number;
        };
        /** @description How it is trained. */
        TrainingSpecOutput: {
            /**
             * @description Peak learning rate.
             * @default 0.00001
             * @example 0.00001
             */
            learning_rate: number;
            /**
             * @description Tasks (GRPO) or examples (SFT, DPO) per trainer GPU and step; the total is times the GPUs.
             * @default 4
             * @example 4
             */
            batch_size: number;
            /**
             * @description Batches summed into one optimizer step.
             * @default 1
             * @example 1
             */
            gradient_accumulation_steps: number;
            /**
             * @description Tokens that go through the model together: sequences of a batch are packed up to it, and a longer one goes alone. Less of it needs less memory.
             * @default 4096
             * @example 2048
             */
            micro_batch_tokens: number;
            /**
             * @description Keep the input of each layer alone and compute the rest again in the backward pass: less memory, a third more time, the same results.
             * @default false
             * @example true
             */
            gradient_checkpointing: boolean;
            /**
             * @description Optimizer steps, whatever `num_epochs` says; null trains for `num_epochs`.
             * @default null
             * @example 200
             */
            max_steps: number | null;
            /**
             * @description Passes over the training data when `max_steps` is null; a part of one counts by its steps, rounded up.
             * @default 1
             * @example 1
             */
            num_epochs: number;
            /**
             * @description Evaluate every so many steps, and after the last; 0 never evaluates. SFT and DPO 500, GRPO 200 by default.
             * @default 200
             * @example 50
             */
            eval_steps: number;
            /**
             * @description Write a row of the training log every so many steps.
             * @default 10
             * @example 10
             */
            logging_steps: number;
            /**
             * @description Save every `save_steps`, or at the end of each epoch.
             * @default steps
             * @example steps
             * @enum {string}
             */
            save_strategy: "steps" | "epoch";
            /**
             * @description Save a checkpoint every so many steps.
             * @default 100
             * @example 100
             */
            save_steps: number;
            /**
             * @description Checkpoints kept in `checkpoints/`; the best is kept besides.
             * @default 5
             * @example 5
             */
            save_total_limit: number;
            /**
             * @description Make the best checkpoint, not the last state, the model of the finished run.
             * @default false
             * @example true
             */
            load_best_model_at_end: boolean;
            /**
             * @description Recorded metric that decides the best checkpoint; null: GRPO `val_reward`, DPO `val_accuracy`, SFT `eval_loss`.
             * @default null
             * @example eval/accuracy
             */
            metric_for_best_model: string | null;
            /**
             * @description Direction of that metric; null: false for a loss, else true.
             * @default null
             * @example true
             */
            greater_is_better: boolean | null;
            /**
             * @description The run's tree on the host; null: `outputs/<run id>`.
             * @default null
             * @example outputs/grpo_cua
             */
            output_dir: string | null;
            /**
             * @description Do not continue from checkpoints found in `output_dir`; the old tree is moved aside.
             * @default false
             * @example false
             */
            start_fresh: boolean;
            /**
             * @description Learning rate after warm-up: it stays, or falls to 0 at the last step. SFT and DPO `cosine`, GRPO `constant` by default.
             * @default constant
             * @example constant
             * @enum {string}
             */
            lr_scheduler_type: "constant" | "linear" | "cosine";
            /**
             * @description Steps of linear warm-up from 0; null: as `warmup_ratio` says.
             * @default null
             * @example 10
             */
            warmup_steps: number | null;
            /**
             * @description The same as a share of all steps, rounded up; null: none. Not with `warmup_steps`. SFT 0.03, DPO 0.1 by default.
             * @default null
             * @example 0.03
             */
            warmup_ratio: number | null;
            /**
             * @description Decoupled weight decay of AdamW.
             * @default 0
             * @example 0.01
             */
            weight_decay: number;
            /**
             * @description AdamW beta 1.
             * @default 0.9
             * @example 0.9
             */
            adam_beta1: number;
            /**
             * @description AdamW beta 2.
             * @default 0.999
             * @example 0.999
             */
            adam_beta2: number;
            /**
             * @description AdamW epsilon.
             * @default 1e-8
             * @example 1e-8
             */
            adam_epsilon: number;
            /**
             * @description Gradients are scaled down to this global norm.
             * @default 1
             * @example 1
             */
            max_grad_norm: number;
            /**
             * @description Evaluate before training; null: as `RUN_BASELINE_EVAL` says, else true.
             * @default null
             * @example true
             */
            run_baseline_eval: boolean | null;
            /**
             * @description At most so many problems per evaluation; null: all of `val_data`.
             * @default null
             * @example 200
             */
            max_eval_samples: number | null;
            /**
             * @description Stop after so many evaluations without improvement; null: never.
             * @default null
             * @example 5
             */
            early_stopping_patience: number | null;
            /**
             * @description Stop once an evaluation reaches this accuracy; null: never.
             * @default null
             * @example 0.9
             */
            target_accuracy: number | null;
        };
        /** @description GRPO. */
        GrpoSpecOutput: {
            /**
             * @description Variant: the mean over all tokens of a step (dapo), over completions (grpo), over accumulated batches (bnpo), over a constant and without the deviation (dr_grpo), the ratio of sequences (gspo), or capped weights (cispo).
             * @default dapo
             * @example dapo
             * @enum {string}
             */
            loss_type: "grpo" | "dr_grpo" | "dapo" | "bnpo" | "gspo" | "cispo";
            /**
             * @description Weight of the KL term to the reference (the model the run started from); 0 needs no reference.
             * @default 0
             * @example 0.05
             */
            kl_coef: number;
            /**
             * @description How far below 1 the probability ratio may fall; null: 0.2, gspo 3e-4. cispo has no lower bound.
             * @default null
             * @example 0.2
             */
            epsilon_low: number | null;
            /**
             * @description How far above 1 the probability ratio may rise (clip-higher, DAPO); null: 0.28, gspo 4e-4. In cispo the largest weight itself, null: 5.
             * @default null
             * @example 0.28
             */
            epsilon_high: number | null;
            /**
             * @description Bound the ratio around the policy before the step, and correct for what sampled by `mismatch_correction` (AReaL). False: the ratio is straight to what sampled, uncorrected.
             * @default true
             * @example true
             */
            use_decoupled_loss: boolean;
            /**
             * @description Against differences between trainer and server: truncated importance sampling per token, leaving out completions whose weight is above the cap, or off.
             * @default tis
             * @example tis
             * @enum {string}
             */
            mismatch_correction: "tis" | "sequence_mask" | "off";
            /**
             * @description Upper bound of that importance weight.
             * @default 2
             * @example 2
             */
            mismatch_cap: number;
            /**
             * @description Updates from the rollouts of a step; above 1 the ratio leaves 1 and is clipped.
             * @default 1
             * @example 1
             */
            num_iterations: number;
            /**
             * @description Replace groups whose rewards all agree by the next prompts, within the step (DAPO). A step then uses more data, so `num_epochs` is reached in more passes over it.
             * @default false
             * @example false
             */
            dynamic_sampling: boolean;
            /**
             * @description Rounds of that in a step at most, the first included; what then is missing is left out.
             * @default 4
             * @example 4
             */
            max_sampling_rounds: number;
            /**
             * @description Learn nothing from completions that were cut off at `rollout.max_new_tokens` (overlong filtering, DAPO); they still count in their group.
             * @default false
             * @example false
             */
            mask_truncated_completions: boolean;
            /**
             * @description Over the last so many tokens before `rollout.max_new_tokens` a completion loses reward (soft overlong punishment, DAPO); 0: never.
             * @default 0
             * @example 0
             */
            overlong_buffer_tokens: number;
            /**
             * @description What a completion of full length loses by that.
             * @default 1
             * @example 1
             */
            overlong_penalty: number;
        };
        /** @description DPO. */
        DpoSpecOutput: {
            /**
             * @description Loss of a preference pair: sigmoid (DPO), ipo (of logprobs per token), hinge (SLiC).
             * @default sigmoid
             * @example sigmoid
             * @enum {string}
             */
            loss_type: "sigmoid" | "ipo" | "hinge";
            /**
             * @description Strength of the implicit KL constraint; tau of ipo.
             * @default 0.1
             * @example 0.1
             */
            beta: number;
        };
        /** @description SFT. */
        SftSpecOutput: {
            /**
             * @description Fill each step with whole examples up to `batch_size` * `gradient_accumulation_steps` * `max_seq_length` tokens, instead of a fixed number of examples. Examples are never padded, joined or cut for it.
             * @default false
             * @example false
             */
            packing: boolean;
            /**
             * @description Learn the completion alone; false: the prompt as well, but its first token. Evaluations always measure the completion.
             * @default true
             * @example true
             */
            completion_only_loss: boolean;
        };
        /** @description Where it starts from, and what stays. */
        CheckpointSpecOutput: {
            /**
             * @description Start from this checkpoint: `runs/<id>/<checkpoint>` or a path such as `outputs/grpo_cua/checkpoints/checkpoint-500`.
             * @default null
             * @example null
             */
            resume_from_checkpoint: string | null;
            /**
             * @description On resume start the data from its beginning instead of where it stopped.
             * @default false
             * @example false
             */
            ignore_data_skip: boolean;
            /**
             * @description How many of the checkpoints that were the best when they were saved stay, besides `save_total_limit`.
             * @default 1
             * @example 3
             */
            keep_best: number;
            /**
             * @description Keep each checkpoint whose step is a multiple of this, besides `save_total_limit`; null: none.
             * @default null
             * @example 500
             */
            keep_every: number | null;
        };
        /** @description How completions are made. */
        RolloutSpecOutput: {
            /**
             * @description Completions per task, the GRPO group; 4 to 8 is usual, 1 learns nothing.
             * @default 4
             * @example 4
             */
            num_rollouts: number;
            /**
             * @description Turns of an episode at most.
             * @default 1
             * @example 15
             */
            max_turns: number;
            /**
             * @description Tasks in flight at a time.
             * @default 4
             * @example 4
             */
            concurrency: number;
            /**
             * @description Policy versions by which rollouts may be older than the policy that learns from them. 0: each step waits for its rollouts; 1 and more: rollouts go on while it is trained, up to so many steps ahead. A vLLM of your own then needs --max-loras 2 + max_staleness.
             * @default 0
             * @example 1
             */
            max_staleness: number;
            /**
             * @description Sampling temperature of rollouts; evaluation is greedy.
             * @default 1
             * @example 1
             */
            temperature: number;
            /**
             * @description Longest completion in tokens.
             * @default 256
             * @example 256
             */
            max_new_tokens: number;
        };
        /** @description What makes the rollouts. */
        InferenceSpecOutput: {
            /**
             * @description What serves the model; null: vLLM on a host with GPUs, else the embedded server.
             * @default null
             * @example vllm
             */
            backend: ("vllm" | "embedded") | null;
            /**
             * @description The vLLM server.
             * @example {}
             */
            vllm: components["schemas"]["VllmSpecOutput"];
        };
        VllmSpecOutput: {
            /**
             * Format: uri
             * @description Base URL. The default means the server that Tandem manages; any other is external.
             * @default http://localhost:8000/v1
             * @example http://localhost:8000/v1
             */
            api_base: string;
            /**
             * @description Start the server with the run; null: when `api_base` is the default.
             * @default null
             * @example true
             */
            managed: boolean | null;
            /**
             * @description Seconds to wait for a completion while the server gets nothing done, and a tenth of the longest wait for one while it does; 300.0 is the remedy for slow servers.
             * @default 120
             * @example 300
             */
            timeout: number;
            /**
             * @description GPUs of one tensor-parallel group; null: as the GPU profile says.
             * @default null
             * @example 4
             */
            tensor_parallel_size: number | null;
            /**
             * @description Share of GPU memory vLLM takes; null: as the GPU profile says (0.85 in split). 0.7 is the remedy after out-of-memory.
             * @default null
             * @example 0.85
             */
            gpu_memory_utilization: number | null;
        };
        /** @description What is logged where. */
        LoggingSpecOutput: {
            /**
             * @description Level of every component without a level of its own.
             * @default INFO
             */
            level: components["schemas"]["LogLevel"];
            /**
             * @description Write the log files of the run's tree.
             * @default true
             * @example true
             */
            log_to_file: boolean;
            /**
             * @description null: `<output_dir>/logs/training.log`.
             * @default null
             * @example outputs/grpo_cua/logs/training.log
             */
            log_file: string | null;
            /**
             * @description Write `rollouts.log`.
             * @default true
             * @example true
             */
            enable_detailed_logging: boolean;
            /**
             * @description null: `<output_dir>/logs/rollouts.log`.
             * @default null
             * @example outputs/grpo_cua/logs/rollouts.log
             */
            detailed_log_file: string | null;
            /**
             * @description Write `performance.log`.
             * @default true
             * @example true
             */
            log_performance: boolean;
            /**
             * @description null: `<output_dir>/logs/performance.log`.
             * @default null
             * @example outputs/grpo_cua/logs/performance.log
             */
            performance_log_file: string | null;
            /**
             * @description Level of rollouts; null: as `level`.
             * @default null
             * @example DEBUG
             */
            rollout_log_level: components["schemas"]["LogLevel"] | null;
            /**
             * @description Level of training; null: as `level`.
             * @default null
             * @example INFO
             */
            training_log_level: components["schemas"]["LogLevel"] | null;
            /**
             * @description Level of evaluation; null: as `level`.
             * @default null
             * @example INFO
             */
            eval_log_level: components["schemas"]["LogLevel"] | null;
            /**
             * @description Level of performance lines; null: as `level`.
             * @default null
             * @example INFO
             */
            performance_log_level: components["schemas"]["LogLevel"] | null;
            /**
             * @description A marker per step, its phases and a group summary; null: as `VERBOSE` says.
             * @default null
             * @example false
             */
            verbose: boolean | null;
        };
        /** @description Trackers. */
        MonitoringSpecOutput: {
            /**
             * @description Send metrics to Weights & Biases.
             * @default false
             * @example true
             */
            enable_wandb: boolean;
            /**
             * @description null: `WANDB_PROJECT`.
             * @default null
             * @example cua-grpo
             */
            wandb_project: string | null;
            /**
             * @description W&B team or user.
             * @default null
             * @example your-entity
             */
            wandb_entity: string | null;
            /**
             * @description Name shown in W&B.
             * @default null
             * @example grpo-qwen3vl-32b
             */
            wandb_run_name: string | null;
            /**
             * @description W&B tags.
             * @default []
             * @example [
             *       "grpo"
             *     ]
             */
            wandb_tags: string[];
            /**
             * @description What a resume does in W&B. `new`: a new W&B run in the same group, on the same axis; `same`: it goes on in the one there is, and what it supersedes is overwritten.
             * @default new
             * @example new
             * @enum {string}
             */
            wandb_resume: "new" | "same";
            /**
             * @description Pins the W&B run; null: `WANDB_RUN_ID`.
             * @default null
             * @example null
             */
            wandb_run_id: string | null;
            /**
             * @description Always start a new W&B run on resume.
             * @default false
             * @example false
             */
            force_new_wandb_run: boolean;
            /**
             * @description Write TensorBoard event files.
             * @default false
             * @example true
             */
            enable_tensorboard: boolean;
            /**
             * @description null: `<output_dir>/tensorboard`.
             * @default null
             * @example outputs/grpo_cua/tensorboard
             */
            tensorboard_log_dir: string | null;
            /**
             * @description Send metrics to an MLflow server.
             * @default false
             * @example true
             */
            enable_mlflow: boolean;
            /**
             * @description null: `MLFLOW_TRACKING_URI`. What authorizes is sent to the server of that variable alone.
             * @default null
             * @example http://mlflow:5000
             */
            mlflow_tracking_uri: string | null;
            /**
             * @description null: `MLFLOW_EXPERIMENT_NAME`.
             * @default null
             * @example cua-grpo
             */
            mlflow_experiment: string | null;
            /**
             * @description Name shown in MLflow; null: the id of the run.
             * @default null
             * @example grpo-qwen3vl-32b
             */
            mlflow_run_name: string | null;
        };
        /** @description What happens by itself after a failure, and what counts as one. */
        RecoverySpecOutput: {
            /**
             * @description Restarts after failures of the machine (killed, lost, hung, rebooted) without a new checkpoint in between.
             * @default 3
             * @example 3
             */
            max_restarts: number;
            /**
             * @description Restarts after the trainer's own errors, which a retry seldom helps, in all.
             * @default 0
             * @example 0
             */
            max_restarts_on_errors: number;
            /**
             * @description Wait before the first restart; doubled each time, at most ten minutes.
             * @default 5
             * @example 5
             */
            backoff_seconds: number;
            /**
             * @description A step without progress for so many times the median step of the attempt counts as hung.
             * @default 20
             * @example 20
             */
            hang_factor: number;
            /**
             * @description A step is never called hung before this, however short steps are.
             * @default 600
             * @example 600
             */
            hang_floor_seconds: number;
            /**
             * @description How long each phase may take.
             * @example {
             *       "loading": 7200
             *     }
             */
            deadlines: components["schemas"]["DeadlinesSpecOutput"];
        };
        /** @description Seconds each phase may take before the attempt is given up. */
        DeadlinesSpecOutput: {
            /**
             * @description From the start of the inference server until it answers; null: as `TANDEM_START_TIMEOUT` says.
             * @default null
             * @example 600
             */
            starting_inference: number | null;
            /**
             * @description From the start of the trainer until its first report; null: as `TANDEM_START_TIMEOUT` says.
             * @default null
             * @example 600
             */
            starting_trainer: number | null;
            /**
             * @description Reading model, data and checkpoint.
             * @default 7200
             * @example 7200
             */
            loading: number;
            /**
             * @description Without progress in the first steps of an attempt, while no usual duration is known.
             * @default 14400
             * @example 14400
             */
            first_step: number;
            /**
             * @description Without progress within an evaluation.
             * @default 14400
             * @example 14400
             */
            evaluation: number;
            /**
             * @description Without progress while a checkpoint is saved, or at the end.
             * @default 7200
             * @example 7200
             */
            saving: number;
            /**
             * @description Without an answer of the inference server to its health check, while the trainer makes no progress; then it is started again.
             * @default 120
             * @example 120
             */
            inference_answer: number;
            /**
             * @description From a pause or cancel until SIGTERM; null: as `TANDEM_STOP_DEADLINE` says.
             * @default null
             * @example 120
             */
            stopping: number | null;
        };
        /** @description A run, as YAML or JSON. */
        RunSpecOutput: {
            /**
             * @description A name for people.
             * @default null
             * @example addition-grpo
             */
            name: string | null;
            /**
             * @description `evaluate`: measure the model, or the checkpoint that `checkpoint.resume_from_checkpoint` names, on `data.val_data` as the method does; nothing is trained and no checkpoint saved. `POST /evaluations` writes such a spec.
             * @default train
             */
            task: components["schemas"]["Task"];
            /** @default grpo */
            method: components["schemas"]["Method"];
            /**
             * @description Labels to filter runs by.
             * @default {}
             * @example {
             *       "team": "agents"
             *     }
             */
            labels: {
                [key: string]: string;
            };
            /**
             * @description Higher starts earlier.
             * @default 50
             * @example 50
             */
            priority: number;
            /**
             * @description Whether a run of higher priority may have its GPUs: it is asked to save, and goes on from there later. False where an interruption costs more than it helps.
             * @default true
             * @example true
             */
            preemptible: boolean;
            /**
             * @description How long it will hold its GPUs, in minutes; the queue plans by it until the run has a speed of its own. null: unknown, so it is not started past runs that it might delay.
             * @default null
             * @example 240
             */
            expected_minutes: number | null;
            /**
             * @description Seeds data order, LoRA initialisation and sampling.
             * @default 42
             * @example 42
             */
            seed: number;
            /**
             * @description Trainer backend. `image`: any program that speaks the agent API, as a container of `trainer_image`.
             * @default tfjs
             * @example tfjs
             * @enum {string}
             */
            trainer: "tfjs" | "areal" | "trl" | "image";
            /**
             * @description For `trainer: image`: the image, one of those that TANDEM_TRAINER_IMAGES names. Its own entrypoint is started.
             * @default null
             * @example null
             */
            trainer_image: string | null;
            /**
             * @description How the GPUs are divided between the roles; null: chosen by the host.
             * @default null
             * @example split-8
             */
            gpu_profile: string | null;
            /**
             * @example {
             *       "name": "Qwen/Qwen3-VL-32B-Instruct"
             *     }
             */
            model: components["schemas"]["ModelSpecOutput"];
            /**
             * @example {
             *       "train_data": "data/train.jsonl"
             *     }
             */
            data: components["schemas"]["DataSpecOutput"];
            /**
             * @description What the model acts in (GRPO).
             * @example {
             *       "type": "single_turn"
             *     }
             */
            environment: components["schemas"]["EnvironmentSpecOutput"];
            /**
             * @description Rewards, summed by weight (GRPO).
             * @default [
             *       {
             *         "name": "exact",
             *         "weight": 1
             *       }
             *     ]
             * @example [
             *       {
             *         "name": "exact"
             *       }
             *     ]
             */
            reward: components["schemas"]["RewardSpecOutput"][];
            /**
             * @example {
             *       "max_steps": 200
             *     }
             */
            training: components["schemas"]["TrainingSpecOutput"];
            /**
             * @description Options of GRPO.
             * @example {
             *       "kl_coef": 0
             *     }
             */
            grpo: components["schemas"]["GrpoSpecOutput"];
            /**
             * @description Options of DPO.
             * @example {
             *       "beta": 0.1
             *     }
             */
            dpo: components["schemas"]["DpoSpecOutput"];
            /**
             * @description Options of SFT.
             * @example {
             *       "packing": false
             *     }
             */
            sft: components["schemas"]["SftSpecOutput"];
            /**
             * @description Where it starts from.
             * @example {}
             */
            checkpoint: components["schemas"]["CheckpointSpecOutput"];
            /**
             * @description How completions are made (GRPO).
             * @example {
             *       "num_rollouts": 4
             *     }
             */
            rollout: components["schemas"]["RolloutSpecOutput"];
            /**
             * @description What makes the rollouts (GRPO).
             * @example {
             *       "backend": "vllm"
             *     }
             */
            inference: components["schemas"]["InferenceSpecOutput"];
            /**
             * @example {
             *       "level": "INFO"
             *     }
             */
            logging: components["schemas"]["LoggingSpecOutput"];
            /**
             * @example {
             *       "enable_wandb": false
             *     }
             */
            monitoring: components["schemas"]["MonitoringSpecOutput"];
            /**
             * @description What happens by itself after a failure.
             * @example {
             *       "max_restarts": 3
             *     }
             */
            recovery: components["schemas"]["RecoverySpecOutput"];
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    listRuns: {
        parameters: {
            query?: {
                /** @description Only runs with this status. */
                status?: components["schemas"]["RunStatus"];
                /** @description Only runs of this method. */
                method?: components["schemas"]["Method"];
                /** @description Only runs with this label, as `key=value`. */
                label?: string;
                /** @description Rows of a page. */
                limit?: number;
                /** @description `next` of the page before. */
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of runs. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RunPage"];
                };
            };
            /** @description `invalid-request`: The request is malformed. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unauthorized`: A valid token is needed. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `forbidden-host`: This host name or origin is not served. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-acceptable`: None of the accepted media types can be produced. */
            406: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `internal`: Tandem failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    createRun: {
        parameters: {
            query?: {
                /** @description Only say what would happen. */
                dry_run?: boolean;
            };
            header?: {
                /** @description Repeating an accepted request with the same key within 24 hours answers what the first one answered, and does nothing again. */
                "idempotency-key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["RunSpec"];
                "application/yaml": components["schemas"]["RunSpec"];
            };
        };
        responses: {
            /** @description With `dry_run`: the resolved spec and the plan. Otherwise the run that is continued. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DryRun"] | components["schemas"]["Run"];
                };
            };
            /** @description The run, queued. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Run"];
                };
            };
            /** @description `invalid-request`: The request is malformed. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unauthorized`: A valid token is needed. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `forbidden-host`: This host name or origin is not served. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-acceptable`: None of the accepted media types can be produced. */
            406: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `conflict`: The current state does not allow this. `idempotency-mismatch`: This Idempotency-Key was used for another request. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `payload-too-large`: The body is too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unsupported-media-type`: The body has a type that is not read here. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `invalid-spec`: The run spec is not valid. `cannot-place`: This host cannot run it. `checkpoint-unusable`: The checkpoint cannot be used. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `internal`: Tandem failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unavailable`: Tandem cannot serve this at the moment. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getRun: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id of the run. */
                id: components["schemas"]["RunId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The run. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Run"];
                };
            };
            /** @description `invalid-request`: The request is malformed. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unauthorized`: A valid token is needed. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `forbidden-host`: This host name or origin is not served. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-found`: There is no such thing. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-acceptable`: None of the accepted media types can be produced. */
            406: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `internal`: Tandem failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    deleteRun: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id of the run. */
                id: components["schemas"]["RunId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It is gone. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description `invalid-request`: The request is malformed. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unauthorized`: A valid token is needed. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `forbidden-host`: This host name or origin is not served. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-found`: There is no such thing. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-acceptable`: None of the accepted media types can be produced. */
            406: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `conflict`: The current state does not allow this. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `internal`: Tandem failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unavailable`: Tandem cannot serve this at the moment. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    resumeRun: {
        parameters: {
            query?: never;
            header?: {
                /** @description Repeating an accepted request with the same key within 24 hours answers what the first one answered, and does nothing again. */
                "idempotency-key"?: string;
            };
            path: {
                /** @description Id of the run. */
                id: components["schemas"]["RunId"];
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["ResumeRequest"];
                "application/yaml": components["schemas"]["ResumeRequest"];
            };
        };
        responses: {
            /** @description The run, queued again. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Run"];
                };
            };
            /** @description With `fork`: the new run. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Run"];
                };
            };
            /** @description `invalid-request`: The request is malformed. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unauthorized`: A valid token is needed. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `forbidden-host`: This host name or origin is not served. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-found`: There is no such thing. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-acceptable`: None of the accepted media types can be produced. */
            406: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `conflict`: The current state does not allow this. `idempotency-mismatch`: This Idempotency-Key was used for another request. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `payload-too-large`: The body is too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unsupported-media-type`: The body has a type that is not read here. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `invalid-spec`: The run spec is not valid. `cannot-place`: This host cannot run it. `checkpoint-unusable`: The checkpoint cannot be used. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `internal`: Tandem failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unavailable`: Tandem cannot serve this at the moment. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pauseRun: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id of the run. */
                id: components["schemas"]["RunId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The run; it is paused once its checkpoint is committed. */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Run"];
                };
            };
            /** @description `invalid-request`: The request is malformed. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unauthorized`: A valid token is needed. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `forbidden-host`: This host name or origin is not served. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-found`: There is no such thing. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-acceptable`: None of the accepted media types can be produced. */
            406: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `conflict`: The current state does not allow this. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `internal`: Tandem failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unavailable`: Tandem cannot serve this at the moment. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    cancelRun: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id of the run. */
                id: components["schemas"]["RunId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The run; it is cancelled once its checkpoint is committed. */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Run"];
                };
            };
            /** @description `invalid-request`: The request is malformed. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unauthorized`: A valid token is needed. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `forbidden-host`: This host name or origin is not served. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-found`: There is no such thing. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-acceptable`: None of the accepted media types can be produced. */
            406: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `conflict`: The current state does not allow this. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `internal`: Tandem failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unavailable`: Tandem cannot serve this at the moment. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    createEvaluation: {
        parameters: {
            query?: {
                /** @description Only say what would happen. */
                dry_run?: boolean;
            };
            header?: {
                /** @description Repeating an accepted request with the same key within 24 hours answers what the first one answered, and does nothing again. */
                "idempotency-key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["EvaluationRequest"];
                "application/yaml": components["schemas"]["EvaluationRequest"];
            };
        };
        responses: {
            /** @description With `dry_run`: the resolved spec and the plan. Otherwise the evaluation that is done again in its `training.output_dir`. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DryRun"] | components["schemas"]["Run"];
                };
            };
            /** @description The evaluation, queued. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Run"];
                };
            };
            /** @description `invalid-request`: The request is malformed. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unauthorized`: A valid token is needed. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `forbidden-host`: This host name or origin is not served. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-acceptable`: None of the accepted media types can be produced. */
            406: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `conflict`: The current state does not allow this. `idempotency-mismatch`: This Idempotency-Key was used for another request. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `payload-too-large`: The body is too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unsupported-media-type`: The body has a type that is not read here. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `invalid-spec`: The run spec is not valid. `cannot-place`: This host cannot run it. `checkpoint-unusable`: The checkpoint cannot be used. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `internal`: Tandem failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unavailable`: Tandem cannot serve this at the moment. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listEvents: {
        parameters: {
            query?: {
                /** @description Only events after this id. */
                after?: number;
                /** @description Events at most. */
                limit?: number;
                /** @description Stream as server-sent events: what there is, then what comes, until the run has ended. Resumes from `Last-Event-ID`. */
                follow?: boolean;
            };
            header?: {
                /** @description Id of the last event that was received; the stream goes on after it. */
                "last-event-id"?: string;
            };
            path: {
                /** @description Id of the run. */
                id: components["schemas"]["RunId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Events, oldest first. With `follow`: a stream of events. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EventPage"];
                    "text/event-stream": unknown;
                };
            };
            /** @description With `follow` and `Last-Event-ID`: the run has ended and everything was sent. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description `invalid-request`: The request is malformed. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unauthorized`: A valid token is needed. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `forbidden-host`: This host name or origin is not served. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-found`: There is no such thing. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-acceptable`: None of the accepted media types can be produced. */
            406: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `too-many-requests`: Too many requests at once. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `internal`: Tandem failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getLogs: {
        parameters: {
            query?: {
                /** @description Only this component. */
                component?: components["schemas"]["Component"];
                /** @description Only this severity and above. */
                level?: components["schemas"]["LogLevel"];
                /** @description Only this attempt. */
                attempt?: number;
                /** @description The last so many lines. */
                tail?: number;
                /** @description Stream as server-sent events: what there is, then what comes, until the run has ended. Resumes from `Last-Event-ID`. */
                follow?: boolean;
            };
            header?: {
                /** @description Id of the last event that was received; the stream goes on after it. */
                "last-event-id"?: string;
            };
            path: {
                /** @description Id of the run. */
                id: components["schemas"]["RunId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Lines, oldest first. With `follow`: a stream of lines. As text/plain: lines as a terminal shows them. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LogPage"];
                    "text/event-stream": unknown;
                    "text/plain": string;
                };
            };
            /** @description With `follow` and `Last-Event-ID`: the run has ended and everything was sent. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description `invalid-request`: The request is malformed. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unauthorized`: A valid token is needed. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `forbidden-host`: This host name or origin is not served. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-found`: There is no such thing. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-acceptable`: None of the accepted media types can be produced. */
            406: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `too-many-requests`: Too many requests at once. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `internal`: Tandem failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getMetrics: {
        parameters: {
            query?: {
                /** @description Comma-separated names; all by default. */
                names?: string;
                /** @description First step. */
                from_step?: number;
                /** @description Last step. */
                to_step?: number;
                /** @description Points per series at most; more are averaged in buckets of equal width. */
                points?: number;
                /** @description Stream as server-sent events: what there is, then what comes, until the run has ended. Resumes from `Last-Event-ID`. */
                follow?: boolean;
            };
            header?: {
                /** @description Id of the last event that was received; the stream goes on after it. */
                "last-event-id"?: string;
            };
            path: {
                /** @description Id of the run. */
                id: components["schemas"]["RunId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A series for each name, on the clean axis: what a resume superseded is left out. With `follow`: a stream of metric records. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Metrics"];
                    "text/event-stream": unknown;
                };
            };
            /** @description With `follow` and `Last-Event-ID`: the run has ended and everything was sent. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description `invalid-request`: The request is malformed. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unauthorized`: A valid token is needed. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `forbidden-host`: This host name or origin is not served. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-found`: There is no such thing. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-acceptable`: None of the accepted media types can be produced. */
            406: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `too-many-requests`: Too many requests at once. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `internal`: Tandem failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listEvaluations: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id of the run. */
                id: components["schemas"]["RunId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Evaluations on the clean axis, the baseline first. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EvaluationList"];
                };
            };
            /** @description `invalid-request`: The request is malformed. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unauthorized`: A valid token is needed. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `forbidden-host`: This host name or origin is not served. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-found`: There is no such thing. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-acceptable`: None of the accepted media types can be produced. */
            406: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `internal`: Tandem failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getArchive: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id of the run. */
                id: components["schemas"]["RunId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The archive. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/gzip": string;
                };
            };
            /** @description `invalid-request`: The request is malformed. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unauthorized`: A valid token is needed. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `forbidden-host`: This host name or origin is not served. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-found`: There is no such thing. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-acceptable`: None of the accepted media types can be produced. */
            406: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `too-many-requests`: Too many requests at once. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `internal`: Tandem failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    setLogging: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id of the run. */
                id: components["schemas"]["RunId"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["LoggingChange"];
                "application/yaml": components["schemas"]["LoggingChange"];
            };
        };
        responses: {
            /** @description The run; the trainer takes the levels with its next report. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Run"];
                };
            };
            /** @description `invalid-request`: The request is malformed. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unauthorized`: A valid token is needed. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `forbidden-host`: This host name or origin is not served. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-found`: There is no such thing. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-acceptable`: None of the accepted media types can be produced. */
            406: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `conflict`: The current state does not allow this. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `payload-too-large`: The body is too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unsupported-media-type`: The body has a type that is not read here. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `internal`: Tandem failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unavailable`: Tandem cannot serve this at the moment. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getTrainingLog: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id of the run. */
                id: components["schemas"]["RunId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The log. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TrainingLog"];
                };
            };
            /** @description `invalid-request`: The request is malformed. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unauthorized`: A valid token is needed. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `forbidden-host`: This host name or origin is not served. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-found`: There is no such thing. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-acceptable`: None of the accepted media types can be produced. */
            406: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `too-many-requests`: Too many requests at once. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `internal`: Tandem failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getTrainHistory: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id of the run. */
                id: components["schemas"]["RunId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The rows. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/csv": string;
                };
            };
            /** @description `invalid-request`: The request is malformed. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unauthorized`: A valid token is needed. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `forbidden-host`: This host name or origin is not served. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-found`: There is no such thing. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-acceptable`: None of the accepted media types can be produced. */
            406: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `too-many-requests`: Too many requests at once. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `internal`: Tandem failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getValHistory: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id of the run. */
                id: components["schemas"]["RunId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The rows. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/csv": string;
                };
            };
            /** @description `invalid-request`: The request is malformed. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unauthorized`: A valid token is needed. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `forbidden-host`: This host name or origin is not served. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-found`: There is no such thing. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-acceptable`: None of the accepted media types can be produced. */
            406: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `too-many-requests`: Too many requests at once. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `internal`: Tandem failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getPlot: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id of the run. */
                id: components["schemas"]["RunId"];
                /** @description Which picture, and its format. */
                file: "loss_curve.png" | "loss_curve.svg" | "reward_curve.png" | "reward_curve.svg" | "kl_curve.png" | "kl_curve.svg" | "lr_curve.png" | "lr_curve.svg";
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The picture. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "image/png": string;
                    "image/svg+xml": string;
                };
            };
            /** @description `invalid-request`: The request is malformed. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unauthorized`: A valid token is needed. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `forbidden-host`: This host name or origin is not served. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-found`: There is no such thing. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-acceptable`: None of the accepted media types can be produced. */
            406: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `too-many-requests`: Too many requests at once. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `internal`: Tandem failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getReport: {
        parameters: {
            query?: {
                /** @description Seconds after which a browser asks for it again, to watch a run that goes on; by default never. */
                refresh?: number;
            };
            header?: never;
            path: {
                /** @description Id of the run. */
                id: components["schemas"]["RunId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The page. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/html": string;
                };
            };
            /** @description `invalid-request`: The request is malformed. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unauthorized`: A valid token is needed. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `forbidden-host`: This host name or origin is not served. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-found`: There is no such thing. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-acceptable`: None of the accepted media types can be produced. */
            406: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `too-many-requests`: Too many requests at once. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `internal`: Tandem failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    compareRuns: {
        parameters: {
            query: {
                /** @description Ids of two to ten runs, separated by commas. */
                runs: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The comparison. As text/html: the page. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Comparison"];
                    "text/html": string;
                };
            };
            /** @description `invalid-request`: The request is malformed. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unauthorized`: A valid token is needed. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `forbidden-host`: This host name or origin is not served. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-found`: There is no such thing. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-acceptable`: None of the accepted media types can be produced. */
            406: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `too-many-requests`: Too many requests at once. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `internal`: Tandem failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listTrackers: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id of the run. */
                id: components["schemas"]["RunId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Trackers of the run. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TrackerList"];
                };
            };
            /** @description `invalid-request`: The request is malformed. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unauthorized`: A valid token is needed. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `forbidden-host`: This host name or origin is not served. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-found`: There is no such thing. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-acceptable`: None of the accepted media types can be produced. */
            406: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `internal`: Tandem failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listCheckpoints: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id of the run. */
                id: components["schemas"]["RunId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Checkpoints. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CheckpointList"];
                };
            };
            /** @description `invalid-request`: The request is malformed. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unauthorized`: A valid token is needed. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `forbidden-host`: This host name or origin is not served. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-found`: There is no such thing. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-acceptable`: None of the accepted media types can be produced. */
            406: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `internal`: Tandem failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getCheckpoint: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id of the run. */
                id: components["schemas"]["RunId"];
                /** @description `latest`, `best`, `final`, `checkpoint-<step>` on the lineage, or `a<attempt>/checkpoint-<step>` (with the slash as %2F). */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The checkpoint. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Checkpoint"];
                };
            };
            /** @description `invalid-request`: The request is malformed. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unauthorized`: A valid token is needed. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `forbidden-host`: This host name or origin is not served. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-found`: There is no such thing. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-acceptable`: None of the accepted media types can be produced. */
            406: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `internal`: Tandem failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    deleteCheckpoint: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id of the run. */
                id: components["schemas"]["RunId"];
                /** @description `latest`, `best`, `final`, `checkpoint-<step>` on the lineage, or `a<attempt>/checkpoint-<step>` (with the slash as %2F). */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It is gone. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description `invalid-request`: The request is malformed. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unauthorized`: A valid token is needed. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `forbidden-host`: This host name or origin is not served. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-found`: There is no such thing. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-acceptable`: None of the accepted media types can be produced. */
            406: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `conflict`: The current state does not allow this. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `internal`: Tandem failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unavailable`: Tandem cannot serve this at the moment. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pinCheckpoint: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id of the run. */
                id: components["schemas"]["RunId"];
                /** @description `latest`, `best`, `final`, `checkpoint-<step>` on the lineage, or `a<attempt>/checkpoint-<step>` (with the slash as %2F). */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The checkpoint, pinned. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Checkpoint"];
                };
            };
            /** @description `invalid-request`: The request is malformed. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unauthorized`: A valid token is needed. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `forbidden-host`: This host name or origin is not served. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-found`: There is no such thing. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-acceptable`: None of the accepted media types can be produced. */
            406: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `conflict`: The current state does not allow this. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `internal`: Tandem failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unavailable`: Tandem cannot serve this at the moment. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    unpinCheckpoint: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id of the run. */
                id: components["schemas"]["RunId"];
                /** @description `latest`, `best`, `final`, `checkpoint-<step>` on the lineage, or `a<attempt>/checkpoint-<step>` (with the slash as %2F). */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The checkpoint, no longer pinned. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Checkpoint"];
                };
            };
            /** @description `invalid-request`: The request is malformed. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unauthorized`: A valid token is needed. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `forbidden-host`: This host name or origin is not served. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-found`: There is no such thing. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-acceptable`: None of the accepted media types can be produced. */
            406: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `conflict`: The current state does not allow this. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `internal`: Tandem failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unavailable`: Tandem cannot serve this at the moment. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pruneCheckpoints: {
        parameters: {
            query?: {
                /** @description Change nothing. */
                dry_run?: boolean;
            };
            header?: never;
            path: {
                /** @description Id of the run. */
                id: components["schemas"]["RunId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description What stays and what goes. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RetentionReport"];
                };
            };
            /** @description `invalid-request`: The request is malformed. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unauthorized`: A valid token is needed. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `forbidden-host`: This host name or origin is not served. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-found`: There is no such thing. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-acceptable`: None of the accepted media types can be produced. */
            406: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `internal`: Tandem failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unavailable`: Tandem cannot serve this at the moment. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getCheckpointArchive: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id of the run. */
                id: components["schemas"]["RunId"];
                /** @description `latest`, `best`, `final`, `checkpoint-<step>` on the lineage, or `a<attempt>/checkpoint-<step>` (with the slash as %2F). */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A tar file with one folder, `<run>-<checkpoint>/`. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/x-tar": string;
                };
            };
            /** @description `invalid-request`: The request is malformed. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unauthorized`: A valid token is needed. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `forbidden-host`: This host name or origin is not served. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-found`: There is no such thing. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-acceptable`: None of the accepted media types can be produced. */
            406: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `checkpoint-unusable`: The checkpoint cannot be used. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `too-many-requests`: Too many requests at once. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `internal`: Tandem failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unavailable`: Tandem cannot serve this at the moment. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    exportCheckpoint: {
        parameters: {
            query?: {
                /** @description Where the files will lie, for the command; `./<name>` by default. */
                directory?: string;
            };
            header?: never;
            path: {
                /** @description Id of the run. */
                id: components["schemas"]["RunId"];
                /** @description `latest`, `best`, `final`, `checkpoint-<step>` on the lineage, or `a<attempt>/checkpoint-<step>` (with the slash as %2F). */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Files and command. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CheckpointExport"];
                };
            };
            /** @description `invalid-request`: The request is malformed. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unauthorized`: A valid token is needed. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `forbidden-host`: This host name or origin is not served. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-found`: There is no such thing. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-acceptable`: None of the accepted media types can be produced. */
            406: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `checkpoint-unusable`: The checkpoint cannot be used. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `internal`: Tandem failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unavailable`: Tandem cannot serve this at the moment. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    importCheckpoints: {
        parameters: {
            query?: {
                /** @description Change nothing; answer what would be imported. */
                dry_run?: boolean;
            };
            header?: {
                /** @description Repeating an accepted request with the same key within 24 hours answers what the first one answered, and does nothing again. */
                "idempotency-key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ImportRequest"];
                "application/yaml": components["schemas"]["ImportRequest"];
            };
        };
        responses: {
            /** @description With `dry_run`: what would be imported. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ImportReport"];
                };
            };
            /** @description What was imported, and as which run. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ImportReport"];
                };
            };
            /** @description `invalid-request`: The request is malformed. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unauthorized`: A valid token is needed. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `forbidden-host`: This host name or origin is not served. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-acceptable`: None of the accepted media types can be produced. */
            406: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `conflict`: The current state does not allow this. `idempotency-mismatch`: This Idempotency-Key was used for another request. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `payload-too-large`: The body is too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unsupported-media-type`: The body has a type that is not read here. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `invalid-spec`: The run spec is not valid. `cannot-place`: This host cannot run it. `checkpoint-unusable`: The checkpoint cannot be used. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `internal`: Tandem failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unavailable`: Tandem cannot serve this at the moment. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getCheckpointFile: {
        parameters: {
            query?: {
                /** @description Answer with a link to the object store where it can be reached (TANDEM_S3_PUBLIC_URL); else the bytes are streamed all the same. */
                redirect?: boolean;
            };
            header?: {
                /** @description One range of bytes. */
                range?: string;
                /** @description ETag that is already held. */
                "if-none-match"?: string;
                /** @description ETag the range belongs to. */
                "if-range"?: string;
            };
            path: {
                /** @description Id of the run. */
                id: components["schemas"]["RunId"];
                /** @description `latest`, `best`, `final`, `checkpoint-<step>` on the lineage, or `a<attempt>/checkpoint-<step>` (with the slash as %2F). */
                name: string;
                /** @description Path inside the checkpoint. */
                path: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The bytes; the ETag is their sha256. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": string;
                    "application/json": string;
                    "text/plain": string;
                };
            };
            /** @description The range of bytes that was asked for. */
            206: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": string;
                    "application/json": string;
                    "text/plain": string;
                };
            };
            /** @description The file is the one that is already held. */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description With `redirect`: the bytes are at `Location`, for an hour. */
            307: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description `invalid-request`: The request is malformed. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unauthorized`: A valid token is needed. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `forbidden-host`: This host name or origin is not served. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-found`: There is no such thing. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-acceptable`: None of the accepted media types can be produced. */
            406: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `range-not-satisfiable`: The range lies outside the file. */
            416: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `checkpoint-unusable`: The checkpoint cannot be used. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `internal`: Tandem failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unavailable`: Tandem cannot serve this at the moment. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listGpus: {
        parameters: {
            query?: {
                /** @description Read now, instead of answering what was read last. */
                refresh?: boolean;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The inventory. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["GpuInventory"];
                };
            };
            /** @description `invalid-request`: The request is malformed. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unauthorized`: A valid token is needed. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `forbidden-host`: This host name or origin is not served. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-acceptable`: None of the accepted media types can be produced. */
            406: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `internal`: Tandem failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    releaseGpu: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description UUID of the GPU. */
                uuid: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It counts as any other from now on. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description `invalid-request`: The request is malformed. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unauthorized`: A valid token is needed. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `forbidden-host`: This host name or origin is not served. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-found`: There is no such thing. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-acceptable`: None of the accepted media types can be produced. */
            406: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `conflict`: The current state does not allow this. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `internal`: Tandem failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getQueue: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The queue now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Queue"];
                };
            };
            /** @description `invalid-request`: The request is malformed. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unauthorized`: A valid token is needed. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `forbidden-host`: This host name or origin is not served. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-acceptable`: None of the accepted media types can be produced. */
            406: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `internal`: Tandem failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listGpuProfiles: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description All of them. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["GpuProfileList"];
                };
            };
            /** @description `invalid-request`: The request is malformed. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unauthorized`: A valid token is needed. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `forbidden-host`: This host name or origin is not served. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-acceptable`: None of the accepted media types can be produced. */
            406: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `internal`: Tandem failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getPreflight: {
        parameters: {
            query?: {
                /** @description Also start a container that runs `nvidia-smi`, on a host with GPUs and with the Docker runtime. */
                probe?: boolean;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description What was found, ready or not. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Preflight"];
                };
            };
            /** @description `invalid-request`: The request is malformed. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unauthorized`: A valid token is needed. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `forbidden-host`: This host name or origin is not served. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-acceptable`: None of the accepted media types can be produced. */
            406: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `internal`: Tandem failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getHealth: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It is. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Health"];
                };
            };
            /** @description `invalid-request`: The request is malformed. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unauthorized`: A valid token is needed. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `forbidden-host`: This host name or origin is not served. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-acceptable`: None of the accepted media types can be produced. */
            406: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `internal`: Tandem failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getReadiness: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It is. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Readiness"];
                };
            };
            /** @description `invalid-request`: The request is malformed. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unauthorized`: A valid token is needed. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `forbidden-host`: This host name or origin is not served. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-acceptable`: None of the accepted media types can be produced. */
            406: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `internal`: Tandem failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unavailable`: Tandem cannot serve this at the moment. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getServiceMetrics: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Text format 0.0.4. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/plain": string;
                };
            };
            /** @description `invalid-request`: The request is malformed. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unauthorized`: A valid token is needed. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `forbidden-host`: This host name or origin is not served. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-acceptable`: None of the accepted media types can be produced. */
            406: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `internal`: Tandem failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getAttemptSpec: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Attempt, as `<run id>.a<number>`. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The spec. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AttemptSpec"];
                };
            };
            /** @description `invalid-request`: The request is malformed. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unauthorized`: A valid token is needed. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-found`: There is no such thing. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-acceptable`: None of the accepted media types can be produced. */
            406: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `attempt-closed`: This attempt is over. */
            410: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `internal`: Tandem failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unavailable`: Tandem cannot serve this at the moment. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    postRecords: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Attempt, as `<run id>.a<number>`. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/x-ndjson": components["schemas"]["Record"];
            };
        };
        responses: {
            /** @description What is stored and what is wanted. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RecordsReply"];
                };
            };
            /** @description `invalid-request`: The request is malformed. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unauthorized`: A valid token is needed. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-found`: There is no such thing. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-acceptable`: None of the accepted media types can be produced. */
            406: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `record-gap`: Records are missing. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `attempt-closed`: This attempt is over. */
            410: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `payload-too-large`: The body is too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unsupported-media-type`: The body has a type that is not read here. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `internal`: Tandem failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unavailable`: Tandem cannot serve this at the moment. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    postUploads: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Attempt, as `<run id>.a<number>`. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["UploadRequest"];
            };
        };
        responses: {
            /** @description Where they go. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UploadReply"];
                };
            };
            /** @description `invalid-request`: The request is malformed. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unauthorized`: A valid token is needed. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-found`: There is no such thing. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-acceptable`: None of the accepted media types can be produced. */
            406: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `conflict`: The current state does not allow this. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `attempt-closed`: This attempt is over. */
            410: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `payload-too-large`: The body is too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unsupported-media-type`: The body has a type that is not read here. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `internal`: Tandem failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `store-refused`: The object store refuses what this needs. */
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unavailable`: Tandem cannot serve this at the moment. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    postCheckpoint: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Attempt, as `<run id>.a<number>`. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CheckpointCommit"];
            };
        };
        responses: {
            /** @description The manifest as stored. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Manifest"];
                };
            };
            /** @description `invalid-request`: The request is malformed. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unauthorized`: A valid token is needed. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-found`: There is no such thing. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not-acceptable`: None of the accepted media types can be produced. */
            406: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `conflict`: The current state does not allow this. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `attempt-closed`: This attempt is over. */
            410: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `payload-too-large`: The body is too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unsupported-media-type`: The body has a type that is not read here. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `checkpoint-unusable`: The checkpoint cannot be used. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `internal`: Tandem failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `store-refused`: The object store refuses what this needs. */
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unavailable`: Tandem cannot serve this at the moment. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
}
