/** What `http.request` and subclasses rely on of an agent, and the types leave out or have wrong. */
import type http from 'node:http';
import type https from 'node:https';
import type {Duplex} from 'node:stream';

export interface Hooks {
	addRequest(request: http.ClientRequest, options: object): void;
	keepSocketAlive(socket: Duplex): boolean;
	removeSocket(socket: Duplex, options: object): void;
	readonly totalSocketCount: number;
}

export type AgentClass = new (options: https.AgentOptions) => Hooks & http.Agent;

export type Connected = (error: Error | null, stream: Duplex) => void;
