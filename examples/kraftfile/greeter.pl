#!/usr/bin/perl
# A web server that greets with the words of the ROM at /words.
use strict;
use warnings;
use IO::Socket::INET;

$| = 1;
open my $file, '<', '/words/greeting' or die "greeter: /words/greeting: $! (is the ROM there?)\n";
chomp(my $greeting = <$file> // '');
close $file;

my $port = $ENV{PORT} // 80;
my $server = IO::Socket::INET->new(LocalPort => $port, Listen => 128, ReuseAddr => 1)
    or die "greeter: cannot listen on port $port: $@\n";
$SIG{PIPE} = 'IGNORE';
$SIG{TERM} = $SIG{INT} = sub { exit 0 };
print "greeter: listening on port $port\n";

while (1) {
    my $client = $server->accept or next;
    # A client that says nothing is cut off.
    eval {
        local $SIG{ALRM} = sub { die };
        alarm 5;
        while (defined(my $line = <$client>)) { last if $line =~ /^\r?\n$/ }
        alarm 0;
        print $client "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ", length($greeting) + 1,
            "\r\nConnection: close\r\n\r\n$greeting\n";
    };
    close $client;
}
