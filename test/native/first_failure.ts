/** Starts jail in the role given and prints the first step that it reports. */
import { Channel, compileProbe, jailPath, native, start } from './rooms.ts';

const role = process.argv[2] as string;
const control = new Channel();
const jail = start(jailPath, [role, '4', '--', role === 'worker' ? compileProbe() : 'true'], [control.theirs, control.theirs]);
control.releaseTheirs();
const step = await control.step();
process.stdout.write(`${step?.[0]}`);
control.close();
await jail.ended;
if (step?.[0] === 1) native.reap(step[1]);
