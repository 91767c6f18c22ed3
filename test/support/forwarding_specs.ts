/**
 * What the four forwarding options may say, and what becomes of it where both families are up and the ephemeral ports are Linux's own.
 * The same lists are put to the product (test/supervisor/forwarding/) and to the packaged peer (test/netns/forwarding_peer.long.test.ts).
 */

/** Options as on a command line; options that are left out mean nothing here. Words with blanks are in double quotes. */
export interface Case {
  readonly words: readonly string[];
  /** Rules in the words of `describeRule`; null = the line is refused. */
  readonly rules: readonly string[] | null;
}

/** The words of a line, double quotes taken off. */
export function wordsOf(line: string): string[] {
  return (line.match(/"[^"]*"|\S+/g) ?? []).map((word) => word.replace(/^"(.*)"$/, '$1'));
}

function read(text: string): Case[] {
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line) => {
    const [words, rules] = line.split(' -> ') as [string, string];
    return { words: wordsOf(words), rules: rules === 'refused' ? null : rules === 'nothing' ? [] : rules.split('; ') };
  });
}

/** All examples of the peer's pages, what Podman, libvirt, rootlesskit and KubeVirt say, and corners of the grammar. */
export const ACCEPTED: readonly Case[] = read(`
-t 22 -> TCP [*]:22 => 22
-t 0-2010,~0-1999 -> TCP [*]:2000-2010 => 2000-2010
-t 2080-2081:0-1,~2080 -> TCP [*]:2081 => 1
-t 0,~0 -> nothing
-t 22:23 -> TCP [*]:22 => 23
-t 22,25 -> TCP [*]:22 => 22; TCP [*]:25 => 25
-t 22-80 -> TCP [*]:22-80 => 22-80
-t 22-80:32-90 -> TCP [*]:22-80 => 32-90
-t 192.0.2.1/22 -> TCP [192.0.2.1]:22 => 22
-t 192.0.2.1%eth0/22 -> TCP [192.0.2.1]%eth0:22 => 22
-t %eth0/22 -> TCP [*]%eth0:22 => 22
-t 0.0.0.0/5000:192.0.2.5/6000 -> TCP [0.0.0.0]:5000 => 192.0.2.5:6000
-t 127.0.0.6/all:192.0.2.6 -> TCP [127.0.0.6]:1-32767 => 192.0.2.6:1-32767 (best effort); TCP [127.0.0.6]:61000-65535 => 192.0.2.6:61000-65535 (best effort)
-t 2000-5000,~3000-3010 -> TCP [*]:2000-2999 => 2000-2999; TCP [*]:3011-5000 => 3011-5000
-t 192.0.2.1/20-30,~25 -> TCP [192.0.2.1]:20-24 => 20-24; TCP [192.0.2.1]:26-30 => 26-30
-t ~20000-20010 -> TCP [*]:1-19999 => 1-19999 (best effort); TCP [*]:20011-32767 => 20011-32767 (best effort); TCP [*]:61000-65535 => 61000-65535 (best effort)
-t auto -> TCP [*]:1-32767 => 1-32767 (best effort) (auto-scan); TCP [*]:61000-65535 => 61000-65535 (best effort) (auto-scan)
-t 80-82,auto -> TCP [*]:80-82 => 80-82 (auto-scan)
-t 192.0.2.2/auto -> TCP [192.0.2.2]:1-32767 => 1-32767 (best effort) (auto-scan); TCP [192.0.2.2]:61000-65535 => 61000-65535 (best effort) (auto-scan)
-t 8000-8010,auto -> TCP [*]:8000-8010 => 8000-8010 (auto-scan)
-t 5-25,~10-20 -> TCP [*]:5-9 => 5-9; TCP [*]:21-25 => 21-25
-t ::1/all -> TCP [::1]:1-32767 => 1-32767 (best effort); TCP [::1]:61000-65535 => 61000-65535 (best effort)
-t 192.0.2.2%d0/2290:80,3000-3010:4000-4010,~3005 -> TCP [192.0.2.2]%d0:2290 => 80; TCP [192.0.2.2]%d0:3000-3004 => 4000-4004; TCP [192.0.2.2]%d0:3006-3010 => 4006-4010
-u 127.0.0.1/9000-9003:7000-7003 -> UDP [127.0.0.1]:9000-9003 => 7000-7003
-t ::1/80-80:80-80 -> TCP [::1]:80 => 80
-t 8080-8080:80-80 -> TCP [*]:8080 => 80
-t 2001:db8::2/22:2022,1000-1050,~1020,~1030-1040 -> TCP [2001:db8::2]:22 => 2022; TCP [2001:db8::2]:1000-1019 => 1000-1019; TCP [2001:db8::2]:1021-1029 => 1021-1029; TCP [2001:db8::2]:1041-1050 => 1041-1050
-t [::]/8080:fd00::2/80 -> TCP [::]:8080 => [fd00::2]:80
-t ::/8080:80 -> TCP [::]:8080 => 80
-t 0.0.0.0/8080:10.89.0.2/80 -t [::]/8080:fd00::2/80 -> TCP [0.0.0.0]:8080 => 10.89.0.2:80; TCP [::]:8080 => [fd00::2]:80
-t 2000:0.0.0.0/3000 -> TCP [*]:2000 => 3000
-t 2000:::/3000 -> TCP [*]:2000 => 3000
-t ::/2000:0.0.0.0/3000 -> TCP [::]:2000 => 3000
-t 0.0.0.0/2000:::/3000 -> TCP [0.0.0.0]:2000 => 3000
-T 2000:0.0.0.0/3000 -> TCP [*]%lo:2000 => 3000
-T 2000:0.0.0.0 -> TCP [*]%lo:2000 => 2000
-u 2000 -u 2001-2003,auto -> UDP [*]:2000 => 2000; UDP [*]:2001-2003 => 2001-2003 (auto-scan)
-t 0.0.0.0/all:0.0.0.0,~1-30000 -> TCP [0.0.0.0]:30001-32767 => 30001-32767 (best effort); TCP [0.0.0.0]:61000-65535 => 61000-65535 (best effort)
-t [::]%lo/2000:[fe80::1] -> TCP [::]%lo:2000 => [fe80::1]:2000
-t *%lo/8000,8001:9001,~8001 -> TCP [*]%lo:8000 => 8000
-t %lo/2000 -u %lo/2000 -> TCP [*]%lo:2000 => 2000; UDP [*]%lo:2000 => 2000
-t none -> nothing
-t all -> TCP [*]:1-32767 => 1-32767 (best effort); TCP [*]:61000-65535 => 61000-65535 (best effort)
-t 2000,2001 -> TCP [*]:2000 => 2000; TCP [*]:2001 => 2001
-t 2000-2005:3000-3005,~2003 -> TCP [*]:2000-2002 => 3000-3002; TCP [*]:2004-2005 => 3004-3005
-t ~25 -> TCP [*]:1-24 => 1-24 (best effort); TCP [*]:26-32767 => 26-32767 (best effort); TCP [*]:61000-65535 => 61000-65535 (best effort)
-t ~25,~40000-50000 -> TCP [*]:1-24 => 1-24 (best effort); TCP [*]:26-32767 => 26-32767 (best effort); TCP [*]:61000-65535 => 61000-65535 (best effort)
-t 127.0.0.1/2000 -> TCP [127.0.0.1]:2000 => 2000
-t ::1/2000:[2001:db8::9]/99 -> TCP [::1]:2000 => [2001:db8::9]:99
-t %lo/2000 -> TCP [*]%lo:2000 => 2000
-t *%lo/2000 -> TCP [*]%lo:2000 => 2000
-t */2000 -> TCP [*]:2000 => 2000
-t 0.0.0.0/2000:10.0.0.1/99 -> TCP [0.0.0.0]:2000 => 10.0.0.1:99
-t 0.0.0.0/2000:10.0.0.1 -> TCP [0.0.0.0]:2000 => 10.0.0.1:2000
-t 2000:2001:db8::1/99 -> TCP [2000:2001:db8::1]:99 => 99
-t ::/2000:2001:db8::1/99 -> TCP [::]:2000 => [2001:db8::1]:99
-t 0.0.0.0/all:10.0.0.1 -> TCP [0.0.0.0]:1-32767 => 10.0.0.1:1-32767 (best effort); TCP [0.0.0.0]:61000-65535 => 10.0.0.1:61000-65535 (best effort)
-t 2000,auto -> TCP [*]:2000 => 2000 (auto-scan)
-t auto,2000 -> TCP [*]:2000 => 2000 (auto-scan)
-t all,auto -> TCP [*]:1-32767 => 1-32767 (best effort) (auto-scan); TCP [*]:61000-65535 => 61000-65535 (best effort) (auto-scan)
-t auto,all -> TCP [*]:1-32767 => 1-32767 (best effort) (auto-scan); TCP [*]:61000-65535 => 61000-65535 (best effort) (auto-scan)
-t auto,auto -> TCP [*]:1-32767 => 1-32767 (best effort) (auto-scan); TCP [*]:61000-65535 => 61000-65535 (best effort) (auto-scan)
-t auto,~80 -> TCP [*]:1-79 => 1-79 (best effort) (auto-scan); TCP [*]:81-32767 => 81-32767 (best effort) (auto-scan); TCP [*]:61000-65535 => 61000-65535 (best effort) (auto-scan)
-t all,~80 -> TCP [*]:1-79 => 1-79 (best effort); TCP [*]:81-32767 => 81-32767 (best effort); TCP [*]:61000-65535 => 61000-65535 (best effort)
-t all,80 -> TCP [*]:80 => 80
-t ::1/auto -> TCP [::1]:1-32767 => 1-32767 (best effort) (auto-scan); TCP [::1]:61000-65535 => 61000-65535 (best effort) (auto-scan)
-t none -t 2000 -> TCP [*]:2000 => 2000
-t none -t none -> nothing
-t 2000 -t 2001 -> TCP [*]:2000 => 2000; TCP [*]:2001 => 2001
-t 2000 -u 2000 -> TCP [*]:2000 => 2000; UDP [*]:2000 => 2000
-t 127.0.0.1/2000 -t 192.0.2.2/2000 -> TCP [127.0.0.1]:2000 => 2000; TCP [192.0.2.2]:2000 => 2000
-t 127.0.0.1%lo/2000 -t 192.0.2.2%d0/2000 -> TCP [127.0.0.1]%lo:2000 => 2000; TCP [192.0.2.2]%d0:2000 => 2000
-T 2000 -> TCP [*]%lo:2000 => 2000
-T 2000:3000 -> TCP [*]%lo:2000 => 3000
-T all -> TCP [*]%lo:1-32767 => 1-32767 (best effort); TCP [*]%lo:61000-65535 => 61000-65535 (best effort)
-T auto -> TCP [*]%lo:1-32767 => 1-32767 (best effort) (auto-scan); TCP [*]%lo:61000-65535 => 61000-65535 (best effort) (auto-scan)
-T none -T 2000 -> TCP [*]%lo:2000 => 2000
-4 -t 2000 -> TCP [0.0.0.0]:2000 => 2000
-6 -t 2000 -> TCP [::]:2000 => 2000
-4 -T 2000 -> TCP [0.0.0.0]%lo:2000 => 2000
-6 -T 2000:[::1]/3000 -> TCP [::]%lo:2000 => [::1]:3000
-4 -T 2000:127.0.0.2/3000 -> TCP [0.0.0.0]%lo:2000 => 127.0.0.2:3000
-T 2000,auto -> TCP [*]%lo:2000 => 2000 (auto-scan)
-t 65535 -> TCP [*]:65535 => 65535
-t 2000-2002:65533-65535 -> TCP [*]:2000-2002 => 65533-65535
-t ~0 -> TCP [*]:1-32767 => 1-32767 (best effort); TCP [*]:61000-65535 => 61000-65535 (best effort)
-t 2000,~2000 -> nothing
-t 2000-2003,~2000-2003 -> nothing
-t 2000-2010,~2003-2005,~2004-2008 -> TCP [*]:2000-2002 => 2000-2002; TCP [*]:2009-2010 => 2009-2010
-t 2000-2010,~2003-2005,~2006-2008 -> TCP [*]:2000-2002 => 2000-2002; TCP [*]:2009-2010 => 2009-2010
-t ~3000,2000-4000 -> TCP [*]:2000-2999 => 2000-2999; TCP [*]:3001-4000 => 3001-4000
-t 2000:3000,2001:3000 -> TCP [*]:2000 => 3000; TCP [*]:2001 => 3000
-t " 2000" -> TCP [*]:2000 => 2000
-t 02000 -> TCP [*]:2000 => 2000
-t /2000 -> TCP [*]:2000 => 2000
-t 127.0.0.1/all -> TCP [127.0.0.1]:1-32767 => 1-32767 (best effort); TCP [127.0.0.1]:61000-65535 => 61000-65535 (best effort)
-t 127.0.0.1/auto -> TCP [127.0.0.1]:1-32767 => 1-32767 (best effort) (auto-scan); TCP [127.0.0.1]:61000-65535 => 61000-65535 (best effort) (auto-scan)
-t 127.0.0.1/~80 -> TCP [127.0.0.1]:1-79 => 1-79 (best effort); TCP [127.0.0.1]:81-32767 => 81-32767 (best effort); TCP [127.0.0.1]:61000-65535 => 61000-65535 (best effort)
-t 0.0.0.0/2000 -> TCP [0.0.0.0]:2000 => 2000
-t ::/2000 -> TCP [::]:2000 => 2000
-t [::]/2000 -> TCP [::]:2000 => 2000
-t [0.0.0.0]/2000 -> TCP [0.0.0.0]:2000 => 2000
-t [127.0.0.1]/2000 -> TCP [127.0.0.1]:2000 => 2000
-t ::ffff:127.0.0.1/2000 -> TCP [127.0.0.1]:2000 => 2000
-t ::ffff:0.0.0.0/2000 -> TCP [0.0.0.0]:2000 => 2000
-t 255.255.255.255/2000 -> TCP [255.255.255.255]:2000 => 2000
-t 224.0.0.1/2000 -> TCP [224.0.0.1]:2000 => 2000
-t ff02::1/2000 -> TCP [ff02::1]:2000 => 2000
-t fe80::1/2000 -> TCP [fe80::1]:2000 => 2000
-t fe80::1%d0/2000 -> TCP [fe80::1]%d0:2000 => 2000
-t [fe80::1]%d0/2000 -> TCP [fe80::1]%d0:2000 => 2000
-t %nosuch/2000 -> TCP [*]%nosuch:2000 => 2000
-t 127.0.0.1%nosuch/2000 -> TCP [127.0.0.1]%nosuch:2000 => 2000
-t %d0/all -> TCP [*]%d0:1-32767 => 1-32767 (best effort); TCP [*]%d0:61000-65535 => 61000-65535 (best effort)
-t %d0/auto -> TCP [*]%d0:1-32767 => 1-32767 (best effort) (auto-scan); TCP [*]%d0:61000-65535 => 61000-65535 (best effort) (auto-scan)
-t 0.0.0.0/2000:0.0.0.0/3000 -> TCP [0.0.0.0]:2000 => 3000
-t ::/2000:::/3000 -> TCP [::]:2000 => 3000
-t 0.0.0.0/2000:127.0.0.1/3000 -> TCP [0.0.0.0]:2000 => 127.0.0.1:3000
-t 0.0.0.0/2000-2002:10.0.0.1/3000-3002 -> TCP [0.0.0.0]:2000-2002 => 10.0.0.1:3000-3002
-t 0.0.0.0/2000-2002:10.0.0.1 -> TCP [0.0.0.0]:2000-2002 => 10.0.0.1:2000-2002
-t all,all -> TCP [*]:1-32767 => 1-32767 (best effort); TCP [*]:61000-65535 => 61000-65535 (best effort)
-t */2000:3000 -> TCP [*]:2000 => 3000
-t 2000,all -> TCP [*]:2000 => 2000
-t all,2000-2001 -> TCP [*]:2000-2001 => 2000-2001
-t all,~1-65535 -> nothing
-t ~1-65535 -> nothing
-t ~1-65535,auto -> nothing
-t ~1-30000 -t 100 -> TCP [*]:30001-32767 => 30001-32767 (best effort); TCP [*]:61000-65535 => 61000-65535 (best effort); TCP [*]:100 => 100
-t 2000 -t ~1-30000 -> TCP [*]:2000 => 2000; TCP [*]:30001-32767 => 30001-32767 (best effort); TCP [*]:61000-65535 => 61000-65535 (best effort)
-t 127.0.0.1/2000 -t ::/2000 -> TCP [127.0.0.1]:2000 => 2000; TCP [::]:2000 => 2000
-t 127.0.0.1/2000 -t ::1/2000 -> TCP [127.0.0.1]:2000 => 2000; TCP [::1]:2000 => 2000
-t 0.0.0.0/2000 -t ::/2000 -> TCP [0.0.0.0]:2000 => 2000; TCP [::]:2000 => 2000
-t none -t auto -> TCP [*]:1-32767 => 1-32767 (best effort) (auto-scan); TCP [*]:61000-65535 => 61000-65535 (best effort) (auto-scan)
-t 2000 -T 2000 -> TCP [*]:2000 => 2000; TCP [*]%lo:2000 => 2000
-t ::1/40000-40005 -> TCP [::1]:40000-40005 => 40000-40005
-t 40000,all -> TCP [*]:40000 => 40000
-t ~40000 -> TCP [*]:1-32767 => 1-32767 (best effort); TCP [*]:61000-65535 => 61000-65535 (best effort)
-t 40000-40003,auto -> TCP [*]:40000-40003 => 40000-40003 (auto-scan)
-t 10.9.8.7/2000 -> TCP [10.9.8.7]:2000 => 2000
-t 10.9.8.7/auto -> TCP [10.9.8.7]:1-32767 => 1-32767 (best effort) (auto-scan); TCP [10.9.8.7]:61000-65535 => 61000-65535 (best effort) (auto-scan)
-t %nosuch/auto -> TCP [*]%nosuch:1-32767 => 1-32767 (best effort) (auto-scan); TCP [*]%nosuch:61000-65535 => 61000-65535 (best effort) (auto-scan)
-t 10.9.8.7/~80 -> TCP [10.9.8.7]:1-79 => 1-79 (best effort); TCP [10.9.8.7]:81-32767 => 81-32767 (best effort); TCP [10.9.8.7]:61000-65535 => 61000-65535 (best effort)
-4 -t */2000 -> TCP [0.0.0.0]:2000 => 2000
-4 -t %lo/2000 -> TCP [0.0.0.0]%lo:2000 => 2000
-4 -t 2000:10.0.0.1/80 -> TCP [0.0.0.0]:2000 => 10.0.0.1:80
-6 -t 2000:2001:db8::9/80 -> TCP [2000:2001:db8::9]:80 => 80
-t 0.0.0.0/80:10.0.0.1/81,all -> TCP [0.0.0.0]:80 => 10.0.0.1:81
-t 0.0.0.0/all:10.0.0.1,~1-30000,auto -> TCP [0.0.0.0]:30001-32767 => 10.0.0.1:30001-32767 (best effort) (auto-scan); TCP [0.0.0.0]:61000-65535 => 10.0.0.1:61000-65535 (best effort) (auto-scan)
-t 2000:3000-3000 -> TCP [*]:2000 => 3000
-t 2000-2000:3000 -> TCP [*]:2000 => 3000
-t 0.0.0.0/2000:[10.0.0.1]/3000 -> TCP [0.0.0.0]:2000 => 10.0.0.1:3000
-t ::/2000:fe80::1/3000 -> TCP [::]:2000 => [fe80::1]:3000
-t 127.0.0.1%lo%lo/2000 -> TCP [127.0.0.1]%lo%lo:2000 => 2000
-t ::1/2000:2001:db8::9/99,2001 -> TCP [::1]:2000 => [2001:db8::9]:99; TCP [::1]:2001 => 2001
-T ~1-65000 -> TCP [*]%lo:65001-65535 => 65001-65535 (best effort)
-U 5353 -> UDP [*]%lo:5353 => 5353
-U all,auto,~53 -> UDP [*]%lo:1-52 => 1-52 (best effort) (auto-scan); UDP [*]%lo:54-32767 => 54-32767 (best effort) (auto-scan); UDP [*]%lo:61000-65535 => 61000-65535 (best effort) (auto-scan)
-t 00000000002000 -> TCP [*]:2000 => 2000
-t "2000, 2001" -> TCP [*]:2000 => 2000; TCP [*]:2001 => 2001
-t fe80::1%lo/2000 -> TCP [fe80::1]%lo:2000 => 2000
`);

/** Everything that is refused. */
export const REFUSED: readonly Case[] = read(`
-T /2000 -> refused
-T 2000:[192.0.2.9] -> refused
-t %lo/2000 -t 127.0.0.1/2000 -> refused
-t [::1]/2000:192.0.2.5/99 -> refused
-t [::]/2000:[fd00::1]:3000 -> refused
-t 2000 -t none -> refused
-t 2000 -t 2000 -> refused
-t auto -t 2000 -> refused
-t 127.0.0.1/2000 -t 2000 -> refused
-t %lo/2000 -t %d0/2000 -> refused
-T 2000:127.0.0.2/3000 -> refused
-T 127.0.0.1/2000 -> refused
-T %lo/2000 -> refused
-T */2000 -> refused
-4 -t ::1/2000 -> refused
-T 2000:::1/3000 -> refused
-T 2000:[::1]/3000 -> refused
-T 2000:[::1] -> refused
-T none,2000 -> refused
-t none,2000 -> refused
-t 2000,none -> refused
-t "" -> refused
-t , -> refused
-t 2000, -> refused
-t ,2000 -> refused
-t 2000,,2001 -> refused
-t 0 -> refused
-t 0-10 -> refused
-t 65536 -> refused
-t 2000-65536 -> refused
-t 2005-2000 -> refused
-t 2000- -> refused
-t -2000 -> refused
-t 2000-2001-2002 -> refused
-t 2000: -> refused
-t 2000:0 -> refused
-t 2000:65536 -> refused
-t 2000-2002:3000 -> refused
-t 2000:3000-3002 -> refused
-t 2000-2002:3000-3001 -> refused
-t 2000-2002:65535 -> refused
-t :3000 -> refused
-t ~ -> refused
-t ~2000-1000 -> refused
-t ~2000:3000 -> refused
-t 2000,2000 -> refused
-t 2000-2005,2003-2008 -> refused
-t "2000 " -> refused
-t 0x7d0 -> refused
-t 2000a -> refused
-t http -> refused
-t 2000/tcp -> refused
-t 127.0.0.1/ -> refused
-t 127.0.0.1 -> refused
-t 127.0.0.1/none -> refused
-t 127.0.0.1/2000/3000 -> refused
-t 127.0.0.1:2000 -> refused
-t 256.0.0.1/2000 -> refused
-t 127.1/2000 -> refused
-t 2130706433/2000 -> refused
-t [::1/2000 -> refused
-t ::1]/2000 -> refused
-t []/2000 -> refused
-t [fe80::1%d0]/2000 -> refused
-t %/2000 -> refused
-t *%/2000 -> refused
-t %0123456789abcdef/2000 -> refused
-t *d0/2000 -> refused
-t **/2000 -> refused
-t [*]/2000 -> refused
-t 2000:%d0/3000 -> refused
-t 2000:*/3000 -> refused
-t 2000:10.0.0.1 -> refused
-t 0.0.0.0/2000:224.0.0.1/3000 -> refused
-t 0.0.0.0/2000:255.255.255.255/3000 -> refused
-t ::/2000:ff02::1/3000 -> refused
-t ::/2000:::ffff:10.0.0.1/3000 -> refused
-t 0.0.0.0/2000-2002:10.0.0.1/3000 -> refused
-t 0.0.0.0/2000:10.0.0.1/ -> refused
-t 0.0.0.0/2000:/3000 -> refused
-t 0.0.0.0/auto:10.0.0.1 -> refused
-t 0.0.0.0/all:10.0.0.1/80 -> refused
-t 0.0.0.0/all:80 -> refused
-t all: -> refused
-t auto:80 -> refused
-t ALL -> refused
-t all:2001:db8::9 -> refused
-t 2000:2001:db8::9 -> refused
-t 2000:[2001:db8::9] -> refused
-t all:[2001:db8::9] -> refused
-t *,2000 -> refused
-t 127.0.0.1/2000 -t 0.0.0.0/2000 -> refused
-t 0.0.0.0/2000 -t 2000 -> refused
-t ::/2000 -t 2000 -> refused
-t 2000-2005 -t 2005-2010 -> refused
-t 127.0.0.1/2000:3000 -t 127.0.0.1/2000:3001 -> refused
-t none -t none -t 2000 -t none -> refused
-t auto -t none -> refused
-T 2000 -T 2000 -> refused
-T auto -T none -> refused
--no-tcp -t 2000 -> refused
--no-udp -u 2000 -> refused
-t auto -t auto -> refused
-t all -t auto -> refused
-6 -t 127.0.0.1/2000 -> refused
-t 2000,80:10.0.0.1/81 -> refused
-t 0.0.0.0/2000:10.0.0.1%eth0/3000 -> refused
-t none, -> refused
-t 127.0.0.1/,2000 -> refused
-t 127.0.0.1%/2000 -> refused
-t ~~80 -> refused
-t 2000:[::1]:3000 -> refused
-t 127.0.0.1,127.0.0.2/2000 -> refused
-t 2000:3000:4000 -> refused
-t 2000-3000,~2500:10 -> refused
-t 0.0.0.0%d0/2000 -t 192.0.2.2/2000 -> refused
-t 2000~2001 -> refused
-t 127.0.0.1 /2000 -> refused
-t 2000:2001 -t none -> refused
`);

/** Where the product and the peer differ: the first column is the product's answer. DECISIONS.md says why. */
export const DEVIATIONS: readonly (Case & { readonly peer: readonly string[] | null })[] = [
  { words: ['-t', '+2000'], rules: null, peer: ['TCP [*]:2000 => 2000'] },
  {
    words: ['-t', '[::]/all:[fd00::1],all:[fd00::2],~1-32000,~61000-65535'],
    rules: null,
    peer: ['TCP [::]:32001-32767 => [fd00::2]:32001-32767 (best effort)'],
  },
];
