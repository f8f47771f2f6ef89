;! title    = "a switch over types, type by type"
;! heap     = "eface"                   ; rax = type, rbx = pointer to an object
;! types    = "main.T{t}"
;! params   = { cases = { default = 4, min = 1, max = 64 }, hit = ["order", "first", "last", "default"], order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id+type"
;! dispatch = "first"
;! clobbers = "all"
;! expand   = true
body:
{% for type in types[:cases] %}
        lea  rcx, ["type.{{ type.name }}"]
        cmp  rax, rcx
{% if loop.first %}first:{% endif %}
        je   case{{ type.index }}
{% endfor %}
        mov  eax, [rbx]                 ; default: the one type that is no case
        add  eax, {{ cases + 1 }}
        jmp  done
{% for type in types[:cases] %}
case{{ type.index }}:
        mov  eax, [rbx]                 ; the object's id
        add  eax, {{ type.index + 1 }}
{% if not loop.last %}
        jmp  done
{% endif %}
{% endfor %}
done:
