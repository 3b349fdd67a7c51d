// SPDX-License-Identifier: Apache-2.0
// Templates of the standard library for the compiler to chew on.
#include <algorithm>
#include <functional>
#include <iostream>
#include <iterator>
#include <map>
#include <random>
#include <regex>
#include <sstream>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

int main(int argc, char **argv)
{
	std::regex word("([A-Za-z_]+)([0-9]*)"), wide("(a|b)*c{2,5}[[:alpha:]]+\\1");
	std::map<std::string, std::vector<std::variant<int, double, std::string>>> found;
	std::unordered_map<std::string, std::function<int(int)>> table;
	std::mt19937_64 random(argc);
	std::string text(argv[0]);

	for (std::sregex_iterator it(text.begin(), text.end(), word), end; it != end; ++it)
		found[(*it)[1]].emplace_back(std::stoi("0" + (*it)[2].str()));
	table["x"] = [&](int x) { return x + static_cast<int>(random() % 7); };
	std::vector<std::string> keys;
	for (auto &[key, values] : found)
		keys.push_back(std::regex_replace(key, wide, "$1") + std::to_string(values.size()));
	std::stable_sort(keys.begin(), keys.end(), std::greater<>());
	std::stringstream out;
	std::copy(keys.begin(), keys.end(), std::ostream_iterator<std::string>(out, " "));
	std::wregex other(L"[0-9]+(\\.[0-9]*)?");
	std::cout << out.str() << table["x"](1) << std::regex_match(L"1.5", other) << "\n";
}
