import { expect, it } from 'vitest';
import { composeEnvironment } from './compose.ts';

it('gives compose its files, its project and the socket, also where there is no .env', () => {
  expect(composeEnvironment('/srv/tandem', { DOCKER_HOST: 'unix:///run/user/1000/docker.sock' }, false)).toEqual({
    COMPOSE_FILE: '/srv/tandem/compose/compose.yaml',
    COMPOSE_PROJECT_NAME: 'tandem',
    DOCKER_HOST: 'unix:///run/user/1000/docker.sock',
    DOCKER_SOCKET: '/run/user/1000/docker.sock',
    PWD: '/srv/tandem',
  });
});

it('lets the control plane see the GPUs of a host that has some, and leaves what the user has set', () => {
  expect(composeEnvironment('/srv/tandem', {}, true)['COMPOSE_FILE']).toBe(
    '/srv/tandem/compose/compose.yaml:/srv/tandem/compose/compose.gpu.yaml',
  );
  const own = { COMPOSE_FILE: 'compose/compose.yaml', COMPOSE_PROJECT_NAME: 'mine', PWD: '/elsewhere' };
  expect(composeEnvironment('/srv/tandem', own, true)).toEqual({ ...own, PWD: '/srv/tandem' });
});
