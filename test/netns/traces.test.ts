/**
 * Programs that look at the way to a host see the same way in the guest as on the host: traceroute, tracepath, mtr, ping.
 */
import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import { type Chain, END4, END6, makeChain, NARROW_MTU } from '../support/chain.ts';
import { type Finished, run, start } from '../support/processes.ts';
import { HOST4, HOST6 } from '../support/topology.ts';
import { startTranslator, type Translator } from '../support/translator.ts';

/** Each hop's number and address, and the smaller MTU where it was found; probes that got no answer and times are left out. */
function hops(output: string): string[] {
  const lines = output.split('\n').filter((line) => !/pmtu (1500|65520)$/.test(line.trim()));
  const found = lines.flatMap((line) => {
    const [, hop, address] = /^\s*(\d+)(?::|\.\|--)?\s+(?:\*\s+)*([0-9a-f.:]+)\s/.exec(line) ?? [];
    return hop === undefined ? [] : [`${hop} ${address}${/ pmtu \d+/.exec(line)?.[0] ?? ''}`];
  });
  return [...new Set([...found, ...(output.match(/Resume: .*\S/) ?? [])])];
}

const MTR = ['mtr', '-n', '-r', '-c', '2', '-i', '0.2', '-G', '1'];

describe('the way to a host', function () {
  this.timeout(120_000);
  let chain: Chain;
  let translator: Translator;

  before(async () => {
    chain = makeChain();
    translator = await startTranslator('ravioli', chain);
  });

  after(async () => {
    await translator?.stop();
    chain?.remove();
  });

  for (const [target, family] of [
    [END4, '-4'],
    [END6, '-6'],
  ] as const) {
    for (const words of [
      ['traceroute', family, '-n', target],
      ['traceroute', family, '-n', '-I', target],
      ['tracepath', family, '-n', target],
      [...MTR, family, target],
      ['traceroute', family, '-n', '-T', target],
      ['traceroute', family, '-n', '-U', '-p', '53', target],
      [...MTR, family, '-u', target],
      [...MTR, family, '-T', target],
    ]) {
      it(`${words.join(' ')} finds the hops that it finds on the host`, async () => {
        const both = [chain.host, translator.guest].map((namespace) => run(words, { namespace, user: 0 }));
        const [host, guest] = (await Promise.all(both)) as [Finished, Finished];
        expect(hops(host.stdout)).to.have.length.above(3);
        expect(hops(guest.stdout), guest.stdout + guest.stderr).to.deep.equal(hops(host.stdout));
      });
    }

    it(`ping ${family} is told by the router where its hop limit ends, and sees that of the replies`, async () => {
      for (const more of [['-t', '2'], []]) {
        const words = ['ping', family, '-n', '-c', '1', '-W', '5', ...more, target];
        const seen = async (namespace: string | number): Promise<string | undefined> =>
          /^From.*exceeded.*|icmp_seq=1 ttl=\d+/m.exec((await run(words, { namespace })).stdout)?.[0];
        const host = await seen(chain.host);
        expect(host).to.be.a('string');
        expect(await seen(translator.guest)).to.equal(host);
      }
    });

    it(`ping ${family} -M do is told the MTU of the path`, async () => {
      const words = ['ping', family, '-n', '-c', '2', '-i', '0.2', '-W', '5', '-M', 'do', '-s', '1440', target];
      const { stdout, stderr } = await run(words, { namespace: translator.guest });
      expect(stdout + stderr).to.match(new RegExp(`mtu ?[=:] ?${NARROW_MTU}\\b`));
    });
  }

  it('every checksum and length of what the guest gets is right, errors and what they return included', async () => {
    const statuses = ['ip', 'udp', 'icmp', 'icmpv6'].flatMap((name) => ['-e', `${name}.checksum.status`]);
    const options = ['-o', 'ip.check_checksum:TRUE', '-o', 'udp.check_checksum:TRUE', '-T', 'fields', '-E', 'separator=;'];
    const fields = ['-e', 'icmp.type', '-e', 'icmpv6.type', '-e', 'frame.len', '-e', '_ws.malformed', ...statuses];
    const watch = start(['tshark', '-n', '-l', '-i', 'eth0', '-f', `dst host ${HOST4} or dst host ${HOST6}`, ...options, ...fields], {
      namespace: translator.guest,
      user: 0,
    });
    await watch.waitFor(/Capture started/);
    for (const [target, family] of [
      [END4, '-4'],
      [END6, '-6'],
    ] as const) {
      for (const more of [[], ['-I'], ['-T']])
        await run(['traceroute', family, '-n', '-m', '6', ...more, target], { namespace: translator.guest, user: 0 });
      await run(['tracepath', family, '-n', target], { namespace: translator.guest });
    }
    // The last reply that is captured, 14 + 40 + 8 + 77 bytes, tells that all before it are.
    await run(['ping', '-6', '-n', '-c', '1', '-s', '77', END6], { namespace: translator.guest });
    await watch.waitFor(/^;129;139;/m);
    await watch.stop();
    const packets = watch
      .stdout()
      .split('\n')
      .filter((line) => /^\d*;\d*;/.test(line))
      .map((line) => line.split(';'));
    const errors = packets.filter(([type, type6]) => /^(3|11)\b/.test(type as string) || /^[123]\b/.test(type6 as string));
    expect(errors).to.have.length.above(20);
    const wrong = packets.filter(([, , , malformed, ...checks]) => malformed !== '' || checks.some((check) => /(^|,)0\b/.test(check)));
    expect(wrong).to.deep.equal([]);
  });
});

describe('a host that lets nobody ping', function () {
  this.timeout(60_000);

  it('says so once, and the guest learns at once that it is prohibited', async () => {
    const chain = makeChain();
    execFileSync('ip', ['netns', 'exec', chain.host, 'sh', '-c', 'echo 1 0 > /proc/sys/net/ipv4/ping_group_range']);
    const translator = await startTranslator('ravioli', chain);
    try {
      for (const [target, told] of [
        [END4, /Packet filtered/],
        [END6, /Administratively prohibited/],
        [END4, /Packet filtered/],
      ] as const)
        expect((await run(['ping', '-n', '-c', '1', '-W', '10', target], { namespace: translator.guest })).stdout).to.match(told);
      expect(translator.log().match(/ping_group_range/g)).to.have.length(1);
    } finally {
      await translator.stop();
      chain.remove();
    }
  });
});
