import {sha256, startDrive, testWith, workDirectory} from '../helpers/drive.js';
import {generatedBody} from '../helpers/origin.js';
import {run, sh} from '../helpers/run.js';

/**
 * By the program they need, lines of shell that print the sha256 of the file
 * "$1" as it is read; "$2" is a directory to work in, and "$3" has the same bytes.
 */
const SCRIPTS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
	bash: {
		'sha256sum': 'sha256sum "$1"',
		'cat': 'cat "$1" | sha256sum',
		'cp': 'cp "$1" "$2/copy" && sha256sum "$2/copy"',
		'cp -p': 'cp -p "$1" "$2/copy" && sha256sum "$2/copy"',
		'cmp': 'cmp "$1" "$3" && sha256sum "$3"',
		'dd in odd blocks': 'dd if="$1" bs=777 status=none | sha256sum',
		'dd in pages': 'dd if="$1" bs=4k status=none | sha256sum',
		'dd in large blocks': 'dd if="$1" bs=1M status=none | sha256sum',
		'dd with skip': '{ dd if="$1" bs=1000 count=1000; dd if="$1" bs=1000 skip=1000; } 2> /dev/null | sha256sum',
		'head -c and tail -c +': '{ head -c 1000001 "$1"; tail -c +1000002 "$1"; } | sha256sum',
		'head -c - and tail -c': '{ head -c -50001 "$1"; tail -c 50001 "$1"; } | sha256sum',
		'tail before head': 'tail -c 50001 "$1" > "$2/end"; { head -c -50001 "$1"; cat "$2/end"; } | sha256sum',
		'wc -c':
			'test "$(wc -c < "$1")" = "$(wc -c < "$3")" && test "$(cat "$1" | wc -c)" = "$(wc -c < "$3")" && sha256sum "$3"',
		'grep': 'test "$(grep -ac "" "$1")" = "$(grep -ac "" "$3")" && sha256sum "$3"',
	},
	rsync: {rsync: 'rsync "$1" "$2/copy" && sha256sum "$2/copy"'},
	node: {
		'node readFile': `node -e 'process.stdout.write(fs.readFileSync(process.argv[1]))' "$1" | sha256sum`,
		'node createReadStream with start': `{
			head -c 70001 "$1"
			node -e 'fs.createReadStream(process.argv[1], {start: 70001}).pipe(process.stdout)' "$1"
		} | sha256sum`,
	},
	python3: {
		'python read': python('sys.stdout.buffer.write(source.read())', '| sha256sum'),
		'python mmap': python('sys.stdout.buffer.write(mmap.mmap(source.fileno(), 0, prot=mmap.PROT_READ))', '| sha256sum'),
		'python shutil.copyfile': python('shutil.copyfile(sys.argv[1], sys.argv[2])', '&& sha256sum "$2/copy"'),
		'python os.sendfile': python(
			'target, position = open(sys.argv[2], "wb"), 0',
			'&& sha256sum "$2/copy"',
			'while sent := os.sendfile(target.fileno(), source.fileno(), position, 1 << 20): position += sent',
		),
	},
};

function python(line: string, then: string, ...lines: string[]): string {
	const program = ['import mmap, os, shutil, sys', 'source = open(sys.argv[1], "rb")', line, ...lines].join('\n');
	return `python3 -c '${program}' "$1" "$2/copy" ${then}`;
}

for (const [needed, scripts] of Object.entries(SCRIPTS)) {
	testWith(
		[needed],
		`read whole, cold and warm, with one request each: ${Object.keys(scripts).join(', ')}`,
		async t => {
			const {mount, origin} = await startDrive(t);
			const directory = await workDirectory(t);
			const size = 2 * 1024 * 1024 + 4099;
			await run('dd', [`of=${directory}/same`, 'status=none'], {input: generatedBody(size)});
			const expected = sha256(generatedBody(size));
			for (const [name, script] of Object.entries(scripts)) {
				const path = `/${encodeURIComponent(name)}`;
				const file = mount.path(origin.serve(path, {size}));
				for (const state of ['cold', 'warm']) {
					const {stdout, stderr} = await sh(script, file, directory, `${directory}/same`);
					t.is(stdout.slice(0, 64), expected, `${name}, ${state}: ${stderr}`);
				}

				t.is(origin.requestsOf(path).length, 1, name);
			}
		},
	);
}
