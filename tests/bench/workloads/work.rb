# SPDX-License-Identifier: Apache-2.0
# Ruby's own library as data: parsed, searched, sorted, packed, collected. No end.
require "digest"
require "json"
require "ripper"
require "zlib"

files = Dir[RbConfig::CONFIG["rubylibdir"] + "/*.rb"].sort.map { |path| File.read(path) }

def fib(n)
  n < 2 ? n : fib(n - 1) + fib(n - 2)
end

loop do
  files.each do |source|
    words = source.scrub.scan(/[A-Za-z_]+/).tally.sort_by { |word, n| [-n, word] }
    JSON.parse(JSON.generate(words))
    Ripper.sexp(source)
    Zlib::Inflate.inflate(Zlib::Deflate.deflate(source))
    Digest::SHA256.hexdigest(source)
    fib(15)
    begin
      Integer(source)
    rescue ArgumentError
      GC.start if words.size > 1000
    end
  end
end
