import type { CheckpointExport } from '../quickstart/client.ts';

/**
 * The README.md of an export: what it is, and how it is served.
 * @param tandem root of the repository, whose own server needs no GPU
 */
export function renderReadme(exported: CheckpointExport, tandem: string): string {
  const { checkpoint, kind, base_model: base, lora, directory, command_line: command, files, notes } = exported;
  const what =
    kind === 'adapter'
      ? `A LoRA adapter (rank ${lora?.r}, alpha ${lora?.alpha}) for ${base}, in the format of PEFT.`
      : 'A model of its own, in the format of Hugging Face.';
  return `${[
    `# ${exported.name}`,
    `${what} Exported from ${checkpoint}.`,
    ...notes,
    '## Serve it',
    block(command),
    `It answers as \`${exported.name}\`: \`POST /v1/completions {"model": "${exported.name}", "prompt": "…"}\`.`,
    'Without a GPU, by the server of Tandem, which is for small models:',
    block(embeddedCommand(exported, tandem)),
    '## Open it in Python',
    block(kind === 'adapter' ? openAdapter(base ?? '', directory) : openModel(directory)),
    '## Files',
    files.map(({ path, size, sha256 }) => `- \`${path}\`: ${size} bytes, sha256 \`${sha256}\``).join('\n'),
  ].join('\n\n')}\n`;
}

function embeddedCommand({ kind, base_model, name, lora, directory, max_model_len }: CheckpointExport, tandem: string) {
  const serve = `node ${tandem}/dist/services/inference/main.js --port 8000 --max-model-len ${max_model_len}`;
  return kind === 'model'
    ? `${serve} --model ${directory} --served-model-name ${name}`
    : `${serve} --model ${base_model} --enable-lora --max-lora-rank ${lora?.r} --lora-modules ${name}=${directory}`;
}

function openAdapter(base: string, directory: string): string {
  return [
    'from peft import PeftModel',
    'from transformers import AutoModelForCausalLM, AutoTokenizer',
    `model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained("${base}"), "${directory}")`,
    `tokenizer = AutoTokenizer.from_pretrained("${directory}")`,
  ].join('\n');
}

function openModel(directory: string): string {
  return [
    'from transformers import AutoModelForCausalLM, AutoTokenizer',
    `model = AutoModelForCausalLM.from_pretrained("${directory}")`,
    `tokenizer = AutoTokenizer.from_pretrained("${directory}")`,
  ].join('\n');
}

function block(text: string): string {
  return `\`\`\`\n${text}\n\`\`\``;
}
