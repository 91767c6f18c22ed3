/** Starts one room (a worker's program is the second argument), prints the pids of all its processes, and waits to be killed. */
import { readFileSync } from 'node:fs';
import { Channel, jailPath, openerPath, start } from './rooms.ts';

const role = process.argv[2];
const control = new Channel();
const channel = new Channel();
const fds = [channel.theirs, control.theirs];
const pids: number[] = [];
if (role === 'opener') {
  const opener = start(jailPath, ['opener', '3', '--', openerPath, 'pasta.opener', '3'], fds);
  pids.push(opener.process.pid as number);
} else {
  const rest = role === 'worker' ? ['4', '--', process.argv[3] as string] : ['4', '--', 'sleep', '100'];
  const jail = start(jailPath, [role as string, ...rest], fds);
  control.releaseTheirs();
  channel.releaseTheirs();
  const step = await control.step();
  pids.push(jail.process.pid as number, (step as [number, number])[1]);
  if (role === 'worker') {
    await channel.ask('ids');
    control.send('x');
    await control.step();
    await jail.ended;
    pids.shift();
    // It would end by itself at the channel's end of file, were it still reading.
    channel.send('pause');
  } else {
    await control.step();
    control.send('x');
    await control.step();
  }
}
if (pids.some((pid) => readFileSync(`/proc/${pid}/comm`).length === 0)) throw new Error('a process is not there');
process.stdout.write(`${pids.join(' ')}\n`);
