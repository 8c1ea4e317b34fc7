#!/usr/bin/perl
# A web server in the Perl that every Debian image has: GET / answers with the host name.
use strict;
use warnings;
use IO::Socket::INET;
use POSIX ();

$| = 1;
my $port = $ENV{PORT} // 8080;
my $name = (POSIX::uname())[1];
my $server = IO::Socket::INET->new(LocalPort => $port, Listen => 128, ReuseAddr => 1)
    or die "hello: cannot listen on port $port: $@\n";

$SIG{CHLD} = 'IGNORE';
$SIG{PIPE} = 'IGNORE';
$SIG{TERM} = $SIG{INT} = sub {
    print "hello: stopping on SIG$_[0]\n";
    exit 0;
};
print "hello: listening on port $port\n";

while (1) {
    my $client = $server->accept or next;
    my $child = fork;
    if (defined $child && $child == 0) {
        $SIG{TERM} = $SIG{INT} = 'DEFAULT';
        serve($client);
        POSIX::_exit(0);
    }
    close $client;
}

sub serve {
    my ($client) = @_;
    alarm 10;    # A client that says nothing is cut off.
    my ($path) = (<$client> // '') =~ m{^GET (/\S*) HTTP/};
    while (defined(my $line = <$client>)) { last if $line =~ /^\r?\n$/ }
    my ($status, $body)
        = !defined $path ? ('400 Bad Request', "bad request\n")
        : $path =~ m{^/(\?|$)} ? ('200 OK', "Hello from $name\n")
        :                        ('404 Not Found', "nothing here\n");
    print $client "HTTP/1.1 $status\r\nContent-Type: text/plain\r\nContent-Length: ", length $body,
        "\r\nConnection: close\r\n\r\n$body";
    close $client;
}
