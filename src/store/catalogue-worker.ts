/** The thread that writes the catalogue, so that the main one never waits for SQLite. */
import {parentPort, workerData} from 'node:worker_threads';
import {asError, systemCode} from '../base/errors.js';
import {CatalogueServer} from './catalogue-server.js';
import type {Answer, Question, ThreadData} from './catalogue-thread.js';
import {Layout} from './layout.js';

const {root, shared, identity, known} = workerData as ThreadData;
const server = new CatalogueServer(new Layout(root, shared), identity, event => send({event}), known);

parentPort?.on('message', (question: Question) => void answer(question));

async function answer({id, method, parameters}: Question): Promise<void> {
	try {
		const ask = server[method].bind(server) as (...given: unknown[]) => Promise<unknown>;
		send({id, result: await ask(...parameters)});
	} catch (thrown) {
		const {message} = asError(thrown);
		send({id, error: {message, code: systemCode(thrown)}});
	}
}

function send(answer: Answer): void {
	parentPort?.postMessage(answer);
}
