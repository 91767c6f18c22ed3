/** Urgent data (RFC 9293 §3.8.5) either way: every byte arrives in its place of the stream, and nothing waits at the mark. */
import { expect } from 'chai';
import { check, start } from '../support/processes.ts';
import { makeTopology, TARGET4, TARGET6, type Topology } from '../support/topology.ts';
import { startTranslator, type Translator } from '../support/translator.ts';

const PORT = 7117;
/** Both ends say ten bytes, the fifth urgent, and read what the other says with the urgent byte in its place. */
const TALK = `
s.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
s.send(b'abcd'); s.send(b'E', socket.MSG_OOB); s.send(b'fghij')
got = b''
while len(got) < 10: got += s.recv(100)
print(got.decode(), flush=True)
`;
const LISTEN = (address: string): string => `
import socket
l = socket.create_server(('${address}', ${PORT}), family=socket.${address.includes(':') ? 'AF_INET6' : 'AF_INET'})
print('ready', flush=True)
s, _ = l.accept()${TALK}`;
const CONNECT = (address: string): string => `
import socket
s = socket.create_connection(('${address}', ${PORT}))${TALK}`;

describe('urgent data', () => {
  let topology: Topology;
  let translator: Translator;

  before(async () => {
    topology = makeTopology();
    translator = await startTranslator('ravioli', topology);
  });

  after(async () => {
    await translator?.stop();
    topology?.remove();
  });

  for (const target of [TARGET4, TARGET6]) {
    it(`arrives in line, both ways, with ${target}`, async () => {
      const far = start(['python3', '-c', LISTEN(target)], { namespace: topology.far, timeout: 20_000 });
      await far.waitFor(/ready/, 10_000);
      const heard = await check(['python3', '-c', CONNECT(target)], { namespace: translator.guest, timeout: 10_000 });
      expect(heard.trim()).to.equal('abcdEfghij');
      await far.waitFor(/abcdEfghij/, 10_000);
      await far.stop();
    });
  }
});
