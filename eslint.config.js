import eslint from '@eslint/js';
import tseslint from 'typescript-eslint';

export default tseslint.config(
	{ignores: ['dist/', 'node_modules/']},
	eslint.configs.recommended,
	{
		files: ['**/*.ts'],
		extends: [tseslint.configs.recommendedTypeChecked],
		languageOptions: {parserOptions: {projectService: true, tsconfigRootDir: import.meta.dirname}},
		rules: {
			'@typescript-eslint/consistent-type-imports': 'error',
			// `import {type X}` is emitted as `import {}`, which still runs the module.
			'@typescript-eslint/no-import-type-side-effects': 'error',
			'@typescript-eslint/switch-exhaustiveness-check': ['error', {considerDefaultExhaustiveForUnions: true}],
			'@typescript-eslint/restrict-template-expressions': ['error', {allowNumber: true}],
			'@typescript-eslint/no-unused-vars': ['error', {argsIgnorePattern: '^_', varsIgnorePattern: '^_'}],
			'eqeqeq': 'error',
			'no-console': 'error',
		},
	},
	{
		// Programs that talk to a person on standard output.
		files: ['scripts/**', 'test/bench/**', 'src/cli/**'],
		rules: {'no-console': 'off'},
	},
);
