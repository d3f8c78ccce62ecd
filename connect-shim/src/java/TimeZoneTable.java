import java.time.DayOfWeek;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.time.zone.ZoneOffsetTransition;
import java.time.zone.ZoneOffsetTransitionRule;
import java.time.zone.ZoneRules;
import java.time.zone.ZoneRulesProvider;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * Writes time_zones.txt, the offsets that java.time knows of each time zone: java TimeZoneTable.java > time_zones.txt
 *
 * A line is a name and, behind a space, what is known of it: "=NAME" is the same as of another, "?" that only java.util.TimeZone
 * has such a name. Else there are words: all offsets in seconds, separated by commas, the first of which is the oldest; then the
 * transitions, each the time since the one before it (the first since 1900) in quarters of an hour or, behind a point, in
 * seconds, both with the digits 0 to 9 and a to z, and the offset after it as a letter; then the rules for each year after those,
 * "month,day,weekday,seconds since that day's midnight in UTC,offset after". A day below zero counts from the month's end, and a
 * weekday (1 is Monday) is the first of its kind on or behind that day, of a day below zero the last on or before it; 0 is the
 * day itself.
 */
class TimeZoneTable {
    private static final long START = -2208988800L;

    public static void main(String[] arguments) {
        Set<String> ids = new TreeSet<>(ZoneId.getAvailableZoneIds());
        Set<String> all = new TreeSet<>(ids);
        all.addAll(Arrays.asList(java.util.TimeZone.getAvailableIDs()));
        System.out.println("# java.time " + ZoneRulesProvider.getVersions("UTC").firstKey());
        Map<ZoneRules, String> known = new LinkedHashMap<>();
        for (String id : all) {
            if (!ids.contains(id)) {
                System.out.println(id + " ?");
                continue;
            }
            ZoneRules rules = ZoneId.of(id).getRules();
            String same = known.putIfAbsent(rules, id);
            System.out.println(id + " " + (same == null ? described(rules) : "=" + same));
        }
    }

    private static String described(ZoneRules rules) {
        LinkedHashMap<ZoneOffset, Character> offsets = new LinkedHashMap<>();
        StringBuilder transitions = new StringBuilder();
        long last = START;
        var all = rules.getTransitions();
        letter(offsets, all.isEmpty() ? rules.getOffset(LocalDateTime.MIN) : all.get(0).getOffsetBefore());
        for (ZoneOffsetTransition transition : all) {
            long delta = transition.toEpochSecond() - last;
            last = transition.toEpochSecond();
            transitions.append(delta % 900 == 0 ? Long.toString(delta / 900, 36) : "." + Long.toString(delta, 36));
            transitions.append(letter(offsets, transition.getOffsetAfter()));
        }
        StringBuilder line = new StringBuilder();
        offsets.keySet().forEach(one -> line.append(line.length() == 0 ? "" : ",").append(one.getTotalSeconds()));
        if (!all.isEmpty()) {
            line.append(' ').append(transitions);
        }
        for (ZoneOffsetTransitionRule rule : rules.getTransitionRules()) {
            long seconds = rule.isMidnightEndOfDay() ? 86_400 : rule.getLocalTime().toSecondOfDay();
            seconds -= switch (rule.getTimeDefinition()) {
                case UTC -> 0;
                case WALL -> rule.getOffsetBefore().getTotalSeconds();
                case STANDARD -> rule.getStandardOffset().getTotalSeconds();
            };
            DayOfWeek weekday = rule.getDayOfWeek();
            line.append(' ').append(rule.getMonth().getValue()).append(',').append(rule.getDayOfMonthIndicator());
            line.append(',').append(weekday == null ? 0 : weekday.getValue()).append(',').append(seconds);
            line.append(',').append(rule.getOffsetAfter().getTotalSeconds());
        }
        return line.toString();
    }

    private static char letter(LinkedHashMap<ZoneOffset, Character> offsets, ZoneOffset offset) {
        return offsets.computeIfAbsent(offset, any -> (char) ('A' + offsets.size()));
    }
}
