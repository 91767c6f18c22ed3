# datagram.pl HOST PORT FILE: sends the file as one datagram, and writes what comes back; asks again when nothing has for ten seconds.
use strict;
use warnings;
use Socket qw(:DEFAULT getaddrinfo AI_NUMERICHOST);

my ($host, $port, $file) = @ARGV;
my ($error, $place) = getaddrinfo($host, $port, {socktype => SOCK_DGRAM, flags => AI_NUMERICHOST});
die "$host: $error\n" if $error;
socket(my $socket, $place->{family}, SOCK_DGRAM, 0) or die "socket: $!\n";
connect($socket, $place->{addr}) or die "$host: $!\n";
open(my $from, '<:raw', $file) or die "$file: $!\n";
my $datagram = do { local $/; <$from> };
for (1 .. 12) {
  send($socket, $datagram, 0);
  vec(my $wanted = '', fileno($socket), 1) = 1;
  next unless select($wanted, undef, undef, 10) and defined recv($socket, my $answer, 65536, 0);
  print $answer;
  exit 0;
}
die "$host: no answer\n";
