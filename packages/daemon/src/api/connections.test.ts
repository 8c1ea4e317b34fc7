import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import type { Server } from "node:http";
import type { Socket } from "node:net";
import { test } from "node:test";
import { Connections } from "./connections.ts";

/** Sockets without bytes, and a server that is told of them. */
function door(most: number) {
  const server = new EventEmitter();
  const connections = new Connections(most);
  connections.watch(server as Server);
  return {
    enter(remoteAddress: string) {
      const socket = Object.assign(new EventEmitter(), { remoteAddress, destroyed: false });
      const destroy = () => {
        socket.destroyed = true;
        socket.emit("close");
      };
      const entered = Object.assign(socket, { destroy }) as unknown as Socket;
      server.emit("connection", entered);
      return entered;
    },
    /** Returns what ends the answer. */
    ask(socket: Socket) {
      const response = new EventEmitter();
      server.emit("request", { socket }, response);
      return () => response.emit("close");
    },
    trust: (socket: Socket) => connections.trust(socket),
  };
}

const closed = (sockets: readonly Socket[]) => sockets.map(({ destroyed }) => destroyed);

test("the address with the most strangers gives up its oldest one", () => {
  const { enter } = door(4);
  const lone = enter("192.0.2.1");
  const many = [enter("192.0.2.2"), enter("192.0.2.2"), enter("192.0.2.2")];
  const late = enter("192.0.2.3");
  assert.deepEqual(closed([lone, ...many, late]), [false, true, false, false, false]);
});

test("who has shown a token goes after all strangers, and only while nothing is being answered", () => {
  const { enter, ask, trust } = door(3);
  const known = [enter("192.0.2.1"), enter("192.0.2.1")];
  for (const socket of known) trust(socket);
  const [first, second] = known as [Socket, Socket];
  const end = ask(first);
  const stranger = enter("192.0.2.2");
  const next = enter("192.0.2.2");
  assert.deepEqual(closed([first, second, stranger, next]), [false, false, true, false]);
  trust(next);
  ask(next);
  const third = enter("192.0.2.2");
  assert.deepEqual(closed([first, second, next, third]), [false, true, false, false]);
  trust(third);
  ask(third);
  assert.deepEqual(closed([enter("192.0.2.3")]), [true], "all are at work: there is no room");
  end();
  assert.deepEqual(closed([enter("192.0.2.3"), first, third]), [false, true, false]);
});

test("of those that wait for their next request, the one that has waited for longest goes", () => {
  const { enter, ask, trust } = door(2);
  const sockets = [enter("192.0.2.1"), enter("192.0.2.1")];
  for (const socket of sockets) trust(socket);
  ask(sockets[0] as Socket)();
  enter("192.0.2.1");
  assert.deepEqual(closed(sockets), [false, true]);
});

test("one that has closed takes no room", () => {
  const { enter, ask } = door(1);
  const gone = enter("192.0.2.1");
  const end = ask(gone);
  gone.destroy();
  end();
  const next = enter("192.0.2.1");
  assert.equal(next.destroyed, false);
  enter("192.0.2.1");
  assert.equal(next.destroyed, true);
});
