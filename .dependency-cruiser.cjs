// The arrows between rooms (services/README.md). A new arrow is a design decision, so it has to be written down here.
const room = (name) => `^services/${name}/`;
const only = (from, allowed) => ({
  name: `${from}-imports-only-${allowed.join('-') || 'packages'}`,
  severity: 'error',
  from: { path: room(from), pathNot: ['\\.test\\.ts$', '/test(ing|-support)/'] },
  to: { path: '^(services|scripts|test)/', pathNot: [room(from), ...allowed.map(room)] },
});

module.exports = {
  forbidden: [
    only('contracts', []),
    only('platform', ['contracts']),
    only('model', ['platform', 'contracts']),
    only('control-plane', ['platform', 'contracts']),
    only('trainer', ['platform', 'contracts', 'model']),
    only('inference', ['platform', 'contracts', 'model']),
    only('dashboard', ['api-types']),
    {
      name: 'contracts-import-zod-only',
      severity: 'error',
      from: { path: room('contracts'), pathNot: '\\.test\\.ts$' },
      to: { dependencyTypes: ['npm', 'npm-dev', 'npm-optional'], pathNot: 'node_modules/(zod|fastest-levenshtein)/' },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      from: { path: '^services/' },
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'no-dev-dependencies-in-services',
      severity: 'error',
      from: {
        path: '^services/',
        pathNot: ['\\.(test|contract)\\.ts$', '/test(ing|-support)/', '^services/api-types/'],
      },
      to: { dependencyTypes: ['npm-dev'], pathNot: 'node_modules/@types/' },
    },
    {
      name: 'no-undeclared-packages',
      severity: 'error',
      from: {},
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
      extensions: ['.ts', '.js', '.d.ts', '.cjs', '.mjs', '.json'],
    },
  },
};
