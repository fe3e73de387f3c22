import {messageOf} from '../../base/errors.js';
import {findFfmpeg} from '../../library/ffmpeg.js';
import {ok, warning, type Subject, type Verdict} from './verdict.js';

export async function checkFfmpeg({config, host}: Subject): Promise<Verdict> {
	const {reencodeGif, ffmpeg} = config.settings;
	if (!reencodeGif) return ok('not needed: GIF images are stored as they come');
	try {
		return ok(`${await findFfmpeg(ffmpeg, host.searchPath)} works`);
	} catch (error) {
		return warning(`${messageOf(error)}: GIF images are stored as they come; install it, or say --no-reencode-gif`);
	}
}
