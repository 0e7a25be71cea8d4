namespace Weft.Scheduling;

/// <summary>How keys depend on the length of the text that they are made for.</summary>
/// <param name="Number">A number for what they depend on: sequences of the same one may share them.</param>
/// <param name="Last">The longest sequence of which keys stay right that were made for a shorter one; one that outgrows it is computed anew. Null where that is any.</param>
internal sealed record LengthOfKeys(Func<int, int> Number, int? Last);
