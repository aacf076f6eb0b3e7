/**
 * Calls a user's function, as `function-host.main.ts` does: `python3 -c PYTHON_HOST <file> <name> <MiB>`. It is given by name what it has parameters for, and
 * everything when it takes `**kwargs`, as TRL's reward functions are.
 */
export const PYTHON_HOST = String.raw`
import asyncio, importlib.util, inspect, json, os, signal, sys, threading, time, traceback

file, name, megabytes = sys.argv[1], sys.argv[2], int(sys.argv[3])
replies = os.fdopen(3, 'w', encoding='utf-8')

def watch(parent):
    while os.getppid() == parent:
        time.sleep(0.5)
    os.killpg(0, signal.SIGKILL)

threading.Thread(target=watch, args=(os.getppid(),), daemon=True).start()

def number(value):
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, float) and value - value != 0:
        return str(value)
    if isinstance(value, (int, float, str)) or value is None:
        return value
    return number(float(value))

def reply(message):
    replies.write(json.dumps(message) + '\n')
    replies.flush()

def explain(error):
    traceback.print_exc()
    return type(error).__name__ + ': ' + str(error)

def load():
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))
    sys.path.insert(0, os.path.dirname(os.path.abspath(file)))
    spec = importlib.util.spec_from_file_location('reward', file)
    module = importlib.util.module_from_spec(spec)
    sys.modules['reward'] = module
    spec.loader.exec_module(module)
    if not callable(getattr(module, name, None)):
        has = [each for each in vars(module) if not each.startswith('_')]
        raise AttributeError('it has no function ' + name + '; it has ' + ', '.join(has))
    return getattr(module, name)

def takes(score):
    parameters = inspect.signature(score).parameters.values()
    if any(each.kind is each.VAR_KEYWORD for each in parameters):
        return None
    return {each.name for each in parameters}

try:
    score = load()
    accepted = takes(score)
except BaseException as error:
    reply({'ready': False, 'error': explain(error)})
    sys.exit(1)
reply({'ready': True})

for line in sys.stdin:
    request = json.loads(line)
    given = dict(request['columns'], prompts=request['prompts'], answers=request['answers'], completions=request['completions'])
    try:
        scores = score(**{key: value for key, value in given.items() if accepted is None or key in accepted})
        if inspect.isawaitable(scores):
            scores = asyncio.run(scores)
        reply({'id': request['id'], 'scores': [number(each) for each in scores]})
    except Exception as error:
        reply({'id': request['id'], 'error': explain(error)})
os.killpg(0, signal.SIGKILL)
`;
