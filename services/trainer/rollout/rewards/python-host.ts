/**
 * Calls a user's function, as `function-host.main.ts` does: `python3 -c PYTHON_HOST <file> <name> <MiB>`. It is given by name what it has parameters for, and
 * everything when it takes `**kwargs`, as TRL's reward functions are.
 */
export const PYTHON_HOST = String.raw`
import asyncio, errno, importlib.util, inspect, json, os, signal, sys, threading, time, traceback

# No name of a file that it may import.
MODULE = '_tandem_reward'
file, name, megabytes = sys.argv[1], sys.argv[2], int(sys.argv[3])
folder = os.path.join(os.path.dirname(os.path.abspath(file)), '')
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
    try:
        return number(float(value))
    except (TypeError, ValueError):
        return repr(value)[:80]

def reply(message):
    replies.write(json.dumps(message) + '\n')
    replies.flush()

def explain(error):
    traceback.print_exc()
    return type(error).__name__ + ': ' + str(error) + place(error)

def place(error):
    own = [frame for frame in traceback.extract_tb(error.__traceback__)
           if frame.filename.startswith(folder) and 'site-packages' not in frame.filename]
    return ' (' + own[-1].filename[len(folder):] + ', line ' + str(own[-1].lineno) + ')' if own else ''

def starved(error):
    words = str(error)
    return isinstance(error, MemoryError) or getattr(error, 'errno', None) == errno.ENOMEM or 'failed to map segment' in words

def load():
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))
    sys.path.insert(0, folder[:-1] or '/')
    spec = importlib.util.spec_from_file_location(MODULE, os.path.abspath(file))
    module = importlib.util.module_from_spec(spec)
    sys.modules[MODULE] = module
    spec.loader.exec_module(module)
    if not callable(getattr(module, name, None)):
        has = [key for key, each in vars(module).items() if inspect.isfunction(each) and each.__module__ == MODULE]
        raise AttributeError('it defines no function ' + name + '; it defines ' + (', '.join(has) or 'none'))
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
    reply({'ready': False, 'error': explain(error), 'starved': starved(error)})
    sys.exit(1)
reply({'ready': True})

for line in sys.stdin:
    request = json.loads(line)
    given = dict(request['columns'], **{key: request[key] for key in ('completions', 'completion_ids', 'prompts', 'answers')})
    try:
        scores = score(**{key: value for key, value in given.items() if accepted is None or key in accepted})
        if inspect.isawaitable(scores):
            scores = asyncio.run(scores)
        reply({'id': request['id'], 'scores': [number(each) for each in scores] if hasattr(scores, '__iter__') else number(scores)})
    except Exception as error:
        reply({'id': request['id'], 'error': explain(error), 'starved': starved(error)})
os.killpg(0, signal.SIGKILL)
`;
