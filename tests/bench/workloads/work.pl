# SPDX-License-Identifier: Apache-2.0
# Perl's own modules as data: manuals formatted, words counted, sorted and packed. No end.
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use Pod::Text;

my ($dir) = grep { -e "$_/Pod/Text.pm" } @INC;
my @files = glob "$dir/*.pm $dir/Pod/*.pm $dir/File/*.pm";

while (1) {
	for my $path (@files) {
		my $text = '';
		my $parser = Pod::Text->new(width => 100);
		$parser->output_string(\$text);
		eval { $parser->parse_file($path) };
		my %count;
		$count{lc $1}++ while $text =~ /\b([A-Za-z]\w+)\b/g;
		my @words = sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count;
		sha256_hex(join ' ', map { sprintf '%s=%d', $_, $count{$_} } @words);
		eval { die { words => scalar @words } };
	}
}
