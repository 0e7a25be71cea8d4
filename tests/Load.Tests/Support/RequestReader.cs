using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Weft.Load.Tests.Support;

/// <summary>One request.</summary>
internal sealed record FakeRequest(string Method, string Path, IReadOnlyDictionary<string, string> Headers, byte[] Body);

/// <summary>Reads HTTP requests with bodies of known length, one after the other, from a connection.</summary>
internal sealed class RequestReader(NetworkStream stream)
{
    private byte[] buffer = new byte[4096];
    private int filled;

    /// <summary>The next request; null when the client has closed the connection.</summary>
    public async Task<FakeRequest?> ReadAsync(CancellationToken cancellationToken)
    {
        int end;
        while ((end = buffer.AsSpan(0, filled).IndexOf("\r\n\r\n"u8)) < 0)
        {
            if (!await FillAsync(cancellationToken))
                return null;
        }

        var lines = Encoding.ASCII.GetString(buffer, 0, end).Split("\r\n");
        var headers = lines[1..].Select(line => line.Split(':', 2, StringSplitOptions.TrimEntries))
            .ToDictionary(pair => pair[0], pair => pair[1], StringComparer.OrdinalIgnoreCase);
        var length = headers.TryGetValue("Content-Length", out var text) ? int.Parse(text, CultureInfo.InvariantCulture) : 0;
        var start = end + 4;
        while (filled < start + length)
        {
            if (!await FillAsync(cancellationToken))
                return null;
        }

        var body = buffer[start..(start + length)];
        filled -= start + length;
        buffer.AsSpan(start + length, filled).CopyTo(buffer);
        var words = lines[0].Split(' ');
        return new(words[0], words[1], headers, body);
    }

    private async Task<bool> FillAsync(CancellationToken cancellationToken)
    {
        if (filled == buffer.Length)
            Array.Resize(ref buffer, 2 * buffer.Length);
        var read = await stream.ReadAsync(buffer.AsMemory(filled), cancellationToken);
        filled += read;
        return read > 0;
    }
}
