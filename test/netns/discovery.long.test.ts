/** Real programs in the guest find what real programs offer on the host's link: SSDP, mDNS, WS-Discovery. */
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { expect } from 'chai';
import { check, type Running, run, start } from '../support/processes.ts';
import { GATEWAY4, GATEWAY6, makeTopology, type Topology } from '../support/topology.ts';
import { startTranslator, type Translator } from '../support/translator.ts';

/** The gateway's address is the device's here, not that of the host's loopback. */
const OPTIONS = ['--no-map-gw', '-t', 'none', '-u', 'none', '-T', 'none', '-U', 'none'];
const GATEWAY_DEVICE = 'urn:schemas-upnp-org:device:InternetGatewayDevice:1';
const LOCATION = `http://${GATEWAY4}:5000/description.xml`;

/** Tells minissdpd of a device, in its words: a type, then strings with their lengths. */
const REGISTER = (socket: string): string => `
import socket
s = socket.socket(socket.AF_UNIX)
s.connect('${socket}')
words = ('${GATEWAY_DEVICE}', 'uuid:1::${GATEWAY_DEVICE}', 'Hall/1.0', '${LOCATION}')
s.sendall(b'\\x04' + b''.join(bytes([len(word)]) + word.encode() for word in words))
`;

/** A service that avahi offers. */
const SERVICE = `<?xml version="1.0"?><!DOCTYPE service-group SYSTEM "avahi-service.dtd">
<service-group><name>Printer in the hall</name><service><type>_ipp._tcp</type><port>631</port></service></service-group>`;

/** Browses until a service is found or five seconds have passed; prints where it is. */
const BROWSE = `
import threading
from zeroconf import IPVersion, ServiceBrowser, Zeroconf
found = threading.Event()
class Listener:
    def add_service(self, zeroconf, kind, name):
        service = zeroconf.get_service_info(kind, name, 5000)
        print(name, service.port, sorted(service.parsed_addresses()), flush=True)
        found.set()
    def update_service(self, *_): pass
    def remove_service(self, *_): pass
zeroconf = Zeroconf(ip_version=IPVersion.All)
ServiceBrowser(zeroconf, '_ipp._tcp.local.', Listener())
found.wait(5)
`;

/** avahi-daemon in one of the namespaces, as if alone on its machine; with or without the service. */
async function startAvahi(topology: Topology, namespace: string, offers: boolean): Promise<Running> {
  const folder = `${topology.folder}/${namespace}`;
  mkdirSync(`${folder}/etc/avahi/services`, { recursive: true });
  for (const name of ['passwd', 'group', 'nsswitch.conf']) cpSync(`/etc/${name}`, `${folder}/etc/${name}`);
  if (offers) writeFileSync(`${folder}/etc/avahi/services/printer.service`, SERVICE);
  writeFileSync(`${folder}/avahi.conf`, `[server]\nhost-name=${namespace}\nallow-interfaces=eth0\nenable-dbus=no\n`);
  const avahi = `exec avahi-daemon --no-drop-root --no-chroot --no-rlimits -f ${folder}/avahi.conf`;
  const alone = ['unshare', '--mount', '--propagation', 'private', 'sh', '-ec'];
  const daemon = start([...alone, `mount -t tmpfs none /run; mkdir /run/avahi-daemon; ${avahi}`], {
    namespace,
    user: 0,
    etc: `${folder}/etc`,
    timeout: 120_000,
  });
  await daemon.waitFor(offers ? /successfully established/ : /Server startup complete/);
  return daemon;
}

describe('discovery by real programs', function () {
  this.timeout(120_000);
  let topology: Topology;
  let translator: Translator;
  const daemons: Running[] = [];

  before(async () => {
    topology = makeTopology();
    translator = await startTranslator('ravioli', topology, { options: OPTIONS });
  });

  after(async () => {
    for (const daemon of daemons) await daemon.stop();
    await translator?.stop();
    topology?.remove();
  });

  describe('SSDP: minissdpd answers for a device', () => {
    before(async () => {
      const socket = `${topology.folder}/minissdpd.sock`;
      const words = ['minissdpd', '-d', '-i', 'eth0', '-s', socket, '-p', `${topology.folder}/minissdpd.pid`];
      daemons.push(start(words, { namespace: topology.far, user: 0, timeout: 120_000 }));
      await check(['sh', '-c', `until [ -S ${socket} ]; do sleep 0.1; done`], { timeout: 10_000 });
      await check(['python3', '-c', REGISTER(socket)], { user: 0 });
    });

    it('gssdp-discover finds it', async () => {
      const search = start(['gssdp-discover', '-i', 'eth0', '-n', '20'], { namespace: translator.guest });
      await search.waitFor(new RegExp(`USN: +uuid:1::${GATEWAY_DEVICE}\\n +Location: ${LOCATION}\\n`), 15_000);
      await search.stop();
    });

    it('upnpc finds it', async () => {
      const { stdout } = await run(['upnpc', '-l'], { namespace: translator.guest });
      expect(stdout).to.contain(` desc: ${LOCATION}\n st: ${GATEWAY_DEVICE}\n`);
    });
  });

  describe('mDNS: avahi offers a printer', () => {
    before(async () => {
      daemons.push(await startAvahi(topology, topology.far, true));
    });

    // By IPv6 avahi tells no address of IPv4, and whichever answer comes first is enough.
    const found = new RegExp(`^Printer in the hall\\._ipp\\._tcp\\.local\\. 631 \\[(?:'${GATEWAY4}', )?'${GATEWAY6}'\\]\n$`);

    it('python-zeroconf finds it', async () => {
      expect(await check(['python3', '-c', BROWSE], { namespace: translator.guest })).to.match(found);
    });

    it('and also where avahi of the host has port 5353 itself', async () => {
      const avahi = await startAvahi(topology, topology.host, false);
      const other = await startTranslator('ravioli', topology, { options: OPTIONS });
      try {
        expect(await check(['python3', '-c', BROWSE], { namespace: other.guest })).to.match(found);
      } finally {
        await other.stop();
        await avahi.stop();
      }
    });
  });

  it('WS-Discovery: wsdd finds another, and asks it who it is', async () => {
    const server = start(['wsdd', '-n', 'hall', '-w', 'HOUSE', '-i', 'eth0'], { namespace: topology.far, user: 0, timeout: 60_000 });
    daemons.push(server);
    await check(['sh', '-c', 'until ss -lntH sport = 5357 | grep -q 5357; do sleep 0.1; done'], {
      namespace: topology.far,
      timeout: 10_000,
    });
    const search = start(['wsdd', '-v', '-D', '-o', '-i', 'eth0'], { namespace: translator.guest, timeout: 60_000 });
    await search.waitFor(/discovered HALL in Workgroup:HOUSE on 192\.0\.2\.1/i, 30_000);
    await search.stop();
  });
});
