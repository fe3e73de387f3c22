import test from 'ava';
import {BackingFiles} from '../../../../src/transport/kernel/backing-files.js';

/** Numbers files as the kernel does, and remembers which it knows. */
function device(refusal?: string) {
	const known = new Set<number>();
	let next = 1;
	return {
		known,
		openBacking() {
			if (refusal !== undefined) throw Object.assign(new Error(`ioctl: ${refusal}`), {code: refusal});
			known.add(next);
			return next++;
		},
		closeBacking: (id: number) => void known.delete(id),
	};
}

function backingFiles(refusal?: string) {
	const refusals: string[] = [];
	const files = new BackingFiles(reason => refusals.push(reason));
	const kernel = device(refusal);
	files.use(kernel);
	return {files, refusals, known: kernel.known};
}

test('all who have a node open are told of one file, which the kernel knows until the last has closed it', t => {
	const {files, known} = backingFiles();
	const [first, second] = [files.open(5, 20), files.open(5, 21)];
	t.is(first, second);
	t.not(files.open(6, 22), first);
	files.release(5);
	t.is(known.size, 2);
	files.release(5);
	t.is(known.size, 1);
	t.not(files.open(5, 23), first);
});

test('a node that was opened to be asked about is asked about until the last has closed it', t => {
	const {files, known} = backingFiles();
	t.is(files.open(5, undefined), undefined);
	t.is(files.open(5, 20), undefined);
	files.release(5);
	t.is(files.open(5, 20), undefined);
	t.is(known.size, 0);
	files.release(5);
	files.release(5);
	t.is(typeof files.open(5, 20), 'number');
});

test('where it cannot be done nobody tries again, and one is told why', t => {
	const {files, refusals} = backingFiles('EPERM');
	t.is(files.open(5, 20), undefined);
	t.is(files.open(6, 20), undefined);
	t.deepEqual(refusals, ['ioctl: EPERM']);
});

test('a failure that may pass is that of one open', t => {
	const {files, refusals} = backingFiles('ENFILE');
	t.is(files.open(5, 20), undefined);
	t.deepEqual(refusals, []);
});
