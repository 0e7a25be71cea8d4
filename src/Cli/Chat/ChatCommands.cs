using Weft.Chat;
using Weft.Cli.Output;
using Weft.Convert;

namespace Weft.Cli.Chat;

/// <summary>What a line that begins with a slash does.</summary>
internal sealed class ChatCommands(Terminal terminal, Conversation conversation, ChatPrompter prompter)
{
    private static readonly string[] Names = ["/system", "/history", "/clear", "/save", "/help", "/exit"];

    /// <summary>Whether a line is a command: spaces before the slash are nobody's message.</summary>
    public static bool IsOne(string line) => line.AsSpan().TrimStart() is ['/', ..];

    /// <summary>Does what the line says.</summary>
    /// <returns>False to end the conversation.</returns>
    /// <exception cref="WeftException">It cannot be done.</exception>
    public bool Run(string line)
    {
        line = line.Trim();
        var end = line.AsSpan().IndexOfAny(' ', '\t');
        var (name, rest) = end < 0 ? (line, "") : (line[..end], line[end..].Trim());
        switch (name)
        {
            case "/system":
                if (rest.Length > 0)
                    SystemText.Require(prompter, rest);
                conversation.System = rest.Length > 0 ? rest : null;
                break;
            case "/history" or "/clear" or "/help" or "/exit" when rest.Length > 0:
                terminal.Note($"{name} stands alone on its line; nothing is done");
                break;
            case "/history":
                foreach (var message in conversation.Messages)
                    terminal.Out.WriteLine($"{message.Role}: {message.Content}");
                break;
            case "/clear":
                conversation.Clear();
                break;
            case "/save" when rest.Length > 0:
                conversation.Save(rest);
                break;
            case "/save":
                terminal.Note("/save needs the name of a file");
                break;
            case "/help":
                terminal.Out.Write(Help);
                break;
            case "/exit":
                return false;
            default:
                var nearest = Spelling.Nearest(name, Names);
                terminal.Note($"there is no command {name}{(nearest is null ? "" : $"; did you mean {nearest}?")} (/help lists them; a message that begins with / goes between {ChatInput.Fence})");
                break;
        }

        return true;
    }

    private const string Help = $"""
        /system TEXT   tells the model how to answer from here on; without a text, nothing
        /history       shows the conversation
        /clear         begins a new conversation with the same system text
        /save FILE     writes the conversation as JSON
        /help          shows this
        /exit          ends, as Ctrl-D does
        {ChatInput.Fence}            alone on a line, begins and ends a message of several lines
        Ctrl-C         stops an answer, or drops what is being typed

        """;
}
